from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "make_synthetic.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("make_synthetic", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_writes_a_dataset_and_says_what_it_holds(tool, tmp_path, capsys):
    out = tmp_path / "data"
    assert tool.main([str(out), "--images", "12", "--size", "48", "--seed", "2"]) == 0
    printed = capsys.readouterr().out
    assert len(list((out / "images" / "train").iterdir())) == 8
    assert "[12/12]" in printed
    for word in ("images", "builds", "Super", "Incomplete", "Hopping", "Streaking", "Lattice"):
        assert word in printed
    assert str(out) in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--size", "8"], "size is 8"), (["--images", "1"], "images is 1")],
)
def test_bad_arguments_are_an_error_message(tool, tmp_path, capsys, arguments, message):
    assert tool.main([str(tmp_path / "data"), *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_full_folder_is_an_error_message(tool, tmp_path, capsys):
    (tmp_path / "keep.txt").write_text("x")
    assert tool.main([str(tmp_path), "--images", "3", "--size", "32"]) == 1
    assert f"{tmp_path} is not empty" in capsys.readouterr().err
