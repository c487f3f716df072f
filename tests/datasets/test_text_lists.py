from __future__ import annotations

import pytest

from lwam_mm.datasets.text_lists import read_names


@pytest.mark.parametrize("text", ["\ufeffBed\r\n Pore \r\n\r\n", "Bed\nPore", "Bed\nPore\n \t\n"])
def test_names_of_any_editor(tmp_path, text):
    path = tmp_path / "classes.txt"
    path.write_bytes(text.encode())
    assert read_names(path, "class file") == ({1: "Bed", 2: "Pore"}, [])


def test_every_wrong_line_is_named_and_the_others_keep_their_numbers(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("Bed\n\nPore\nBed\nCrack\n")
    names, problems = read_names(path, "class file")
    assert names == {1: "Bed", 3: "Pore", 5: "Crack"}
    assert [problem.found for problem in problems] == [
        "line 2 is blank.",
        "line 4 repeats 'Bed' of line 1.",
    ]
    assert {(problem.kind, problem.path) for problem in problems} == {("class file", path)}


@pytest.mark.parametrize(
    ("content", "kind", "found"),
    [
        (None, "split file", "no such split file"),
        (b"\xff\xfe\xfa", "split file", "unreadable"),
        (b" \n", "empty split", "the split file is empty"),
    ],
)
def test_a_file_without_names_is_one_problem(tmp_path, content, kind, found):
    path = tmp_path / "split.txt"
    if content is not None:
        path.write_bytes(content)
    names, (problem,) = read_names(path, "split file")
    assert names == {}
    assert problem.kind == kind
    assert problem.found.startswith(found)
