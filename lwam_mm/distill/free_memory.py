"""Giving freed memory back to the system."""

from __future__ import annotations

import ctypes
import gc


def give_freed_memory_back() -> None:
    """Have the C library return what it only keeps for later, where it can (glibc).

    Making a graph leaves some hundred megabytes of small freed pieces behind, for which nothing
    in the training steps to come has a use.
    """
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return  # another C library
