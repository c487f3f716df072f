"""Random numbers that depend on what they are for, and on nothing that went before."""

# ruff: noqa: NPY002  upstream's transforms draw from numpy's global stream

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_everything(*key: int) -> None:
    """Seed Python's, numpy's and torch's random numbers, those of every GPU included.

    Args:
        key: what the random numbers are for, as numbers that are not negative, such as the run's
            seed and the iteration. Other keys give unrelated streams.
    """
    torch_seed = _seed_host(key)
    torch.manual_seed(torch_seed)  # every GPU's too


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Seed the random numbers of the processor for a while, and put back the streams as they were.

    Args:
        key: as for :func:`seed_everything`.
    """
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        torch.default_generator.manual_seed(_seed_host(key))
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def _seed_host(key: tuple[int, ...]) -> int:
    """Seed Python and numpy, and return a seed for torch."""
    words = np.random.SeedSequence(key).generate_state(8)
    random.seed(words[:2].tobytes())
    np.random.seed(words[2:6])
    return int.from_bytes(words[6:].tobytes(), "little") >> 1  # torch's are signed
