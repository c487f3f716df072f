from __future__ import annotations

from pathlib import Path

import pytest

from lwam_mm.files import replacing, write_atomically


def test_file_and_folder_are_made(tmp_path):
    write_atomically(tmp_path / "new" / "a.txt", b"one")
    write_atomically(tmp_path / "new" / "a.txt", b"two")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"two"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


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


def test_two_writers_do_not_share_the_unfinished_file(tmp_path):
    path = tmp_path / "a"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert path.read_bytes() == b"1"  # the outer one ends last
