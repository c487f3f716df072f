import os
import unicodedata
from pathlib import Path

import pytest

from lwam_mm.runtime.find_images import distinct_names, find_images


@pytest.fixture
def touch(tmp_path):
    def touch(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return touch


def names_in(tmp_path, pairs):
    return {str(path.relative_to(tmp_path)): reason for path, reason in pairs}


def test_every_entry_of_a_folder_is_an_image_or_has_a_reason(touch, tmp_path):
    touch("in/b.png", "in/a.JPG", "in/sub/c.png", "in/notes.txt", "in/._a.png", "in/.DS_Store")
    (tmp_path / "in" / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "in" / "pipe.png")
    found = find_images([tmp_path / "in"])
    assert [image.name for image in found.images] == ["a.JPG", "b.png", "gone.png"]
    assert found.failed == []
    assert names_in(tmp_path, found.skipped) == {
        "in/.DS_Store": "hidden",
        "in/._a.png": "hidden",
        "in/notes.txt": "no image, by its suffix",
        "in/pipe.png": "not a regular file",
        "in/sub": "a sub-folder; name it on its own to predict its images",
    }


def test_a_file_that_is_named_is_an_image_whatever_its_name(touch, tmp_path):
    touch("in/.hidden.png", "in/photo.raw", "in/sub/a.png")
    inputs = [tmp_path / name for name in ["in/photo.raw", "in/.hidden.png", "in/sub", "missing"]]
    found = find_images(inputs)
    assert found.images == [*inputs[:2], tmp_path / "in/sub/a.png", tmp_path / "missing"]
    assert found.skipped == found.failed == []


def test_what_is_named_is_not_also_called_skipped(touch, tmp_path, monkeypatch):
    touch("in/a.png", "in/photo.raw", "in/sub/b.png", "in/other.raw")
    monkeypatch.chdir(tmp_path)
    found = find_images(["in", tmp_path / "in/photo.raw", "in/sub"])
    assert [image.name for image in found.images] == ["a.png", "photo.raw", "b.png"]
    assert [str(path) for path, _ in found.skipped] == ["in/other.raw"]


def test_a_folder_without_images_is_a_failure_unless_it_holds_a_broken_link(touch, tmp_path):
    touch("only-hidden/.a.png", "linked/notes.txt")
    (tmp_path / "linked" / "a.png").symlink_to("nowhere.png")
    found = find_images([tmp_path / "only-hidden", tmp_path / "linked"])
    assert names_in(tmp_path, found.failed).keys() == {"only-hidden"}
    assert found.images == [tmp_path / "linked/a.png"]


def test_a_folder_that_cannot_be_listed_does_not_stop_the_others(touch, tmp_path, monkeypatch):
    touch("locked/a.png", "in/b.png")
    iterdir = Path.iterdir

    def fail(self):
        if self.name == "locked":
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", fail)
    found = find_images([tmp_path / "locked", tmp_path / "in"])
    assert found.images == [tmp_path / "in/b.png"]
    ((path, reason),) = found.failed
    assert path == tmp_path / "locked"
    assert "locked cannot be listed: [Errno 13]" in reason


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs another user")
def test_a_folder_that_cannot_be_entered_fails_by_itself(touch, tmp_path):
    touch("locked/in/a.png", "in/b.png")
    (tmp_path / "locked").chmod(0)
    tmp_path.chmod(0o755)
    pid = os.fork()
    if pid == 0:
        good = False
        try:
            os.chdir(tmp_path)  # the folders above it may be closed to the other user
            os.setuid(65534)
            found = find_images(["locked", "locked/in", "locked/in/a.png", "in"])
            good = [str(file) for file, _ in found.failed] == ["locked"] and found.images == [
                Path("locked/in"),
                Path("locked/in/a.png"),
                Path("in/b.png"),
            ]
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_the_file_itself_is_preferred_to_links_to_it(touch, tmp_path):
    touch("in/b.png", "in/d.png", "far/z.png")
    for link, target in [("a", "b.png"), ("c", "b.png"), ("x", "../far/z.png"), ("y", "x.png")]:
        (tmp_path / "in" / f"{link}.png").symlink_to(target)
    found = find_images([tmp_path / "in"])
    assert [image.name for image in found.images] == ["b.png", "d.png", "x.png"]
    assert names_in(tmp_path, found.skipped) == {
        "in/a.png": f"the same file as {tmp_path / 'in/b.png'}",
        "in/c.png": f"the same file as {tmp_path / 'in/b.png'}",
        "in/y.png": f"the same file as {tmp_path / 'in/x.png'}",
    }


def test_hard_links_are_images_of_their_own(touch, tmp_path):
    """A tool that saves space may link equal layers: they are still different layers."""
    touch("in/a.png")
    (tmp_path / "in/b.png").hardlink_to(tmp_path / "in/a.png")
    assert len(find_images([tmp_path / "in"]).images) == 2


def test_a_folder_that_is_given_twice_is_named_once(touch, tmp_path):
    touch("in/a.png", "in/notes.txt")
    (tmp_path / "link").symlink_to("in")
    found = find_images([tmp_path / "in", tmp_path / "link", tmp_path / "in/."])
    assert found.images == [tmp_path / "in/a.png"]
    assert [reason for _, reason in found.skipped] == [
        *[f"the same folder as {tmp_path / 'in'}"] * 2,
        "no image, by its suffix",
    ]


def test_a_link_that_leads_to_itself_and_an_impossible_name_are_left_to_the_reader(tmp_path):
    (tmp_path / "loop.png").symlink_to("loop.png")
    inputs = [tmp_path / "loop.png", tmp_path / ("x" * 300)]
    assert find_images(inputs).images == inputs


NFC, NFD = (unicodedata.normalize(form, "Prüfung") for form in ["NFC", "NFD"])


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["x/a.png", "x/a.jpg", "x/a_2.png"], ["a", "a_3", "a_2"]),
        (["x/a_2.png", "x/a.jpg", "y/a.png"], ["a_2", "a", "a_3"]),
        (["x/a.png", "y/A.png", "z/A_2.png"], ["a", "A_3", "A_2"]),
        ([f"x/{NFC}.png", f"y/{NFD}.png"], [NFC, f"{NFD}_2"]),
        ([f"x/{NFC.upper()}.png", f"y/{NFD}.png"], [NFC.upper(), f"{NFD}_2"]),
        (["a.b.png", "a.b.jpg"], ["a.b", "a.b_2"]),
        (["x/a.png", "y/a.png", "z/a.png"], ["a", "a_2", "a_3"]),
        ([], []),
    ],
)
def test_names_are_distinct_and_a_files_own_stem_is_not_given_away(files, names):
    assert distinct_names([Path(file) for file in files]) == names
