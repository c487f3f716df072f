"""Names of any bytes as texts, and back."""

from __future__ import annotations

import os

import pytest

from lwam_mm.monitor.watch.paths import printable, real_path


@pytest.mark.parametrize("name", [b"B_1.png", "B_1_größe.png".encode(), b"B_1_\xff\xe4.png"])
def test_a_name_is_found_again(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"")
    printable(path).encode("utf-8")  # a database can hold it
    assert real_path(printable(path)) == path


def test_a_name_that_only_looks_so_goes_first(tmp_path):
    plain, odd = tmp_path / r"B_1_\xff.png", tmp_path / os.fsdecode(b"B_1_\xff.png")
    odd.write_bytes(b"")
    assert real_path(str(plain)) == odd
    plain.write_bytes(b"")
    assert real_path(str(plain)) == plain
