"""Which files the poll calls complete."""

from __future__ import annotations

import os

import pytest

from lwam_mm.monitor.watch.folder import FolderPoll


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "watched"
    path.mkdir()
    return path


def names(found):
    return sorted(file.name for file in found)


def test_a_file_is_complete_when_it_has_stood_still(folder):
    poll = FolderPoll(folder, stable_polls=2)
    file = folder / "a.png"
    file.write_bytes(b"1")
    assert [names(poll.poll()) for _ in range(2)] == [[], []]
    file.write_bytes(b"12")  # it grows: from the start again
    assert [names(poll.poll()) for _ in range(3)] == [[], [], ["a.png"]]
    assert names(poll.poll()) == ["a.png"]  # until it is done with
    poll.done(poll.poll()[0])
    assert poll.poll() == []
    assert not poll.is_waiting()


def test_the_same_size_at_another_time_is_a_change(folder):
    poll = FolderPoll(folder, stable_polls=1)
    file = folder / "a.png"
    file.write_bytes(b"1")
    poll.poll()
    poll.done(poll.poll()[0])
    os.utime(file, ns=(1, 1))  # the clock was set back
    poll.poll()
    assert names(poll.poll()) == ["a.png"]


def test_what_was_done_with_earlier_is_not_returned(folder):
    file = folder / "a.png"
    file.write_bytes(b"1")
    stat = file.stat()
    poll = FolderPoll(folder, {"a.png": (stat.st_size, stat.st_mtime_ns)}, stable_polls=0)
    assert poll.poll() == []


def test_a_folder_that_goes_and_comes_back(folder):
    poll = FolderPoll(folder, stable_polls=1)
    (folder / "a.png").write_bytes(b"1")
    poll.poll()
    folder.rename(folder.with_name("aside"))
    assert poll.poll() == []
    assert str(folder) in poll.away
    folder.with_name("aside").rename(folder)
    assert names(poll.poll()) == ["a.png"]
    assert poll.away is None


def test_only_files_of_before_are_a_backlog(folder):
    poll = FolderPoll(folder, stable_polls=1)
    (folder / "a.png").write_bytes(b"1")
    poll.poll()
    (folder / "b.png").write_bytes(b"1")
    poll.poll()
    assert {file.name: file.backlog for file in poll.poll()} == {"a.png": True, "b.png": False}


def test_a_file_that_was_renamed_before_it_was_complete(folder):
    poll = FolderPoll(folder, stable_polls=1)
    (folder / "a.tmp").write_bytes(b"1")
    poll.poll()
    (folder / "a.tmp").rename(folder / "a.png")
    assert poll.poll() == []
    assert names(poll.poll()) == ["a.png"]


@pytest.mark.parametrize("recursive", [True, False])
def test_subfolders(folder, recursive):
    (folder / "B1").mkdir()
    (folder / "B1" / "a.png").write_bytes(b"1")
    poll = FolderPoll(folder, stable_polls=0, recursive=recursive)
    assert names(poll.poll()) == (["B1/a.png"] if recursive else [])


def test_links_that_lead_nowhere_or_back_hide_nothing(folder):
    (folder / "b").mkdir()
    (folder / "b" / "1.png").write_bytes(b"x")
    (folder / "b" / "up").symlink_to(folder)
    loop = folder / os.fsdecode(b"loop_\xff")
    loop.symlink_to(loop.name)
    poll = FolderPoll(folder, stable_polls=1, recursive=True)
    poll.poll()
    assert [file.name for file in poll.poll()] == ["b/1.png"]
    told = str(folder / r"loop_\xff")  # it is sent and recorded as UTF-8
    assert poll.away == f"{told} cannot be read: Too many levels of symbolic links"
    loop.unlink()
    poll.poll()
    assert poll.away is None
