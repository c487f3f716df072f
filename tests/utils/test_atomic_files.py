from __future__ import annotations

import os
from pathlib import Path

import pytest

from lwam_mm.utils.atomic_files import remove_unfinished, replacing, write_atomically


def test_file_and_folder_are_made(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [found.name for found in path.parent.iterdir()] == ["a.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_atomically(path, b"old")

    def half(self, data):
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert [found.name for found in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == b"old"


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    """The name of the unfinished file is another each time, so it would look like another error."""
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match=r"/a'") as caught:
        write_atomically(tmp_path / "a", b"new")
    assert ".tmp" not in str(caught.value)


def test_two_writers_do_not_share_the_unfinished_file(tmp_path):
    path = tmp_path / "a"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert path.read_bytes() == b"1"  # the outer one ends last


def test_durable_waits_for_the_content_and_then_for_the_name(tmp_path, monkeypatch):
    path, waited = tmp_path / "a", []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        waited.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    write_atomically(path, b"1")
    assert waited == []
    path.unlink()
    write_atomically(path, b"1", durable=True)
    assert not [link for link in Path("/proc/self/fd").iterdir() if link.resolve() == tmp_path]
    (content, there), name = waited
    assert content.startswith(".a.")
    assert not there
    assert name == (tmp_path.name, True)


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    with replacing(tmp_path / "a.pth") as unfinished:
        unfinished.write_bytes(b"half")
        others = [tmp_path / name for name in (".a.tmp", "a.tmp", ".a.0123456.tmp", "b.pth")]
        for path in others:
            path.write_bytes(b"")
        assert remove_unfinished(tmp_path) == [unfinished]
        assert sorted(tmp_path.iterdir()) == sorted(others)
        unfinished.write_bytes(b"whole")
