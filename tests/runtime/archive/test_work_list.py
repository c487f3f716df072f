"""The list on disk holds what `find_images` and `distinct_names` say."""

from __future__ import annotations

import sqlite3
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwam_mm.runtime import OutputError
from lwam_mm.runtime.archive.work_list import Outcome, WorkList
from lwam_mm.runtime.find_images import distinct_names, find_images
from lwam_mm.runtime.predict_files import PredictedImage


@pytest.fixture
def open_list(tmp_path):
    """Return a function that opens the list of the inputs, as a new run would."""
    opened = []

    def make(*inputs, settings="bundle"):
        while opened:
            opened.pop().release()
        work = WorkList(tmp_path / "predicted.sqlite", settings)
        opened.append(work)
        work.collect(list(inputs))
        return work

    return make


def expected(inputs):
    found = find_images(inputs)
    return found, list(zip(found.images, distinct_names(found.images), strict=True))


def image_of(task):
    return PredictedImage(task.file, task.name, 4, 3, {"Background": 12}, 1.5)


def record_all(work):
    for batch in work.batches(2):
        work.record([Outcome(task, image_of(task), (7, 8)) for task in batch])


def test_every_kind_of_entry(tmp_path, open_list):
    x, y = tmp_path / "x", tmp_path / "y"
    for path in [x / "sub" / "a.png", *(y / f"{n}.png" for n in ("a", "b", "A", "a_2", "é"))]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ["a.png", "a.jpg", "b.PNG", "notes.txt", ".hidden.png", "10.png", "9.png"]:
        (x / name).touch()
    (y / f"{unicodedata.normalize('NFD', 'é')}.png").touch()
    (x / "link.png").symlink_to("b.PNG")
    (x / "Z.png").symlink_to(y / "b.png")
    (x / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "x again").symlink_to(x)
    (tmp_path / "empty").mkdir()
    inputs = [x, y, x / "a.png", tmp_path / "x again", tmp_path / "empty", x / "sub", x / "no.png"]
    inputs += [x / "notes.txt", x / "a.png"]
    found, named = expected(inputs)
    work = open_list(*inputs)
    assert list(work.named()) == named
    assert len(work) == len(named) > 10
    assert sorted(work.skipped) == sorted(found.skipped)
    assert len(work.skipped) == len(found.skipped)
    assert list(work.failed) == found.failed != []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["x", "y", "z"]),
            st.text("aA_23ßé\u0301", min_size=1, max_size=4),
            st.sampled_from([".png", ".jpg"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_the_same_names_as_in_one_process(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("names")
    for parent, stem, suffix in files:
        (folder / parent).mkdir(exist_ok=True)
        (folder / parent / (stem + suffix)).touch()
    inputs = sorted({folder / parent for parent, _, _ in files})
    work = WorkList(folder / "predicted.sqlite", "")
    work.collect(inputs)
    assert list(work.named()) == expected(inputs)[1]
    work.release()


def test_names_that_are_no_utf8_come_back(tmp_path, open_list):
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "layer_\udcff.png"
    try:
        path.touch()
    except OSError:
        pytest.skip("this file system takes valid names only")
    assert list(open_list(folder).named()) == [(path, "layer_\udcff")]


def test_what_was_predicted_is_known_by_the_next_run(tmp_path, open_list):
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    work = open_list(*paths)
    record_all(work)
    again = open_list(*paths)
    (batch,) = again.batches(5)
    assert [task.predicted for task in batch] == [(7, 8)] * 3
    assert len(again.predicted) == 0  # nobody has looked yet whether the results are there
    again.record([Outcome(batch[0], None), Outcome(batch[1], "b.png is damaged")])
    assert list(again.predicted) == [image_of(batch[0])]
    assert list(again.failed) == [(paths[1], "b.png is damaged")]
    (batch,) = open_list(*paths).batches(5)
    assert [task.predicted for task in batch] == [(7, 8), None, (7, 8)]
    (batch,) = open_list(*paths, settings="another bundle").batches(5)
    assert [task.predicted for task in batch] == [None] * 3


def test_results_whose_name_goes_to_another_image_are_forgotten(tmp_path, open_list):
    first, second = tmp_path / "x" / "a.png", tmp_path / "y" / "a.png"
    record_all(open_list(second))
    (batch,) = open_list(first, second).batches(5)
    assert [(task.name, task.predicted) for task in batch] == [("a", None), ("a_2", None)]
    # Not even if the other image is given alone again: by now "a" may be the first one's.
    (batch,) = open_list(second).batches(5)
    assert batch[0].predicted is None


def test_a_list_has_one_user(tmp_path, open_list):
    open_list(tmp_path / "a.png")
    with pytest.raises(OutputError, match="wait until no other run writes"):
        WorkList(tmp_path / "predicted.sqlite", "bundle")


def test_a_file_that_is_no_list_is_left_alone(tmp_path):
    path = tmp_path / "predicted.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE image (precious TEXT)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(OutputError, match="is no list of an earlier run"):
        WorkList(path, "bundle")
    path.with_name("text.sqlite").write_text("precious")
    with pytest.raises(OutputError, match="cannot be used"):
        WorkList(path.with_name("text.sqlite"), "bundle")
    assert path.read_bytes() == before
    assert path.with_name("text.sqlite").read_text() == "precious"
