from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from lwam_mm.utils import malloc

# What a freed block of 100 MB leaves in use, kept or not, in a process of its own.
MEASURE = """
import re, sys
from pathlib import Path

import numpy as np

from lwam_mm.utils.malloc import give_freed_memory_back, keep_freed_memory

def in_use():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000

if "keep" in sys.argv:
    assert keep_freed_memory()
before = in_use()
block = np.ones(100_000_000, np.uint8)
del block
freed = in_use()
give_freed_memory_back()
print(freed - before, in_use() - before)
"""


def on_glibc() -> bool:
    try:
        return hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    except TypeError:  # Windows
        return False


def measure(*arguments: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True
    )
    freed, returned = map(float, done.stdout.split())
    return freed, returned


@pytest.mark.skipif(not on_glibc(), reason="mallopt is glibc's")
def test_freed_memory_is_kept_until_it_is_given_back():
    freed, _ = measure()
    assert freed < 50
    freed, returned = measure("keep")
    assert freed > 80
    assert returned < 50


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(malloc.ctypes, "CDLL", lambda name: object())
    assert not malloc.keep_freed_memory()
    malloc.give_freed_memory_back()


@pytest.mark.parametrize("refused", [0, 1])
def test_a_refusal_is_told(monkeypatch, refused):
    answers = [int(call != refused) for call in range(2)]
    monkeypatch.setattr(malloc, "_function", lambda name: lambda *_: answers.pop(0))
    assert not malloc.keep_freed_memory()
    assert answers == []
