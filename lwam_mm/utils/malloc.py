"""Control what the C library does with freed memory."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Make the C library (glibc) keep freed memory in this process for later allocations.

    By default it returns blocks above 32 MB to the system at once, and requests them again: feature
    maps, several times per training step. The system clears each page before it hands it out,
    which takes up to a quarter of the time of a distillation. The cost is fragmentation: free
    blocks that are too small for the next request.

    Returns:
        Whether the setting was applied; False with other C libraries.
    """
    mallopt = _function("mallopt")
    return mallopt is not None and all(
        [mallopt(_M_MMAP_MAX, 0), mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT)]
    )


def give_freed_memory_back() -> None:
    """Return the free memory that the C library (glibc) holds to the system.

    Building a graph leaves several hundred megabytes of small free blocks, which later training
    steps do not use.
    """
    gc.collect()
    if trim := _function("malloc_trim"):
        trim(0)


def _function(name: str) -> Any | None:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None  # another C library
