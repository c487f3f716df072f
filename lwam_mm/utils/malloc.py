"""What the C library does with memory that is freed."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have the C library keep what this process frees, for the next who asks, where it can (glibc).

    It otherwise hands blocks above 32 MB back to the system at once, and takes them anew: feature
    maps, several times in each training step. The system clears every page that it hands out,
    which takes up to a quarter of a distillation's time. The price is memory: pieces that are
    free but too small for what is asked.

    Returns:
        Whether it does so now.
    """
    mallopt = _function("mallopt")
    return mallopt is not None and all(
        [mallopt(_M_MMAP_MAX, 0), mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT)]
    )


def give_freed_memory_back() -> None:
    """Have the C library return what it keeps at the moment, where it can (glibc).

    Making a graph leaves some hundred megabytes of small freed pieces behind, for which nothing
    in the training steps to come has a use.
    """
    gc.collect()
    if trim := _function("malloc_trim"):
        trim(0)


def _function(name: str) -> Any | None:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None  # another C library
