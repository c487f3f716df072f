"""Seed random numbers by their purpose, independent of earlier draws."""

# ruff: noqa: NPY002  upstream's transforms use numpy's global generator

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_everything(*key: int) -> None:
    """Seed the global generators of Python, numpy and torch, on every GPU too.

    Args:
        *key: Non-negative integers that identify the purpose, such as the run's seed and the
            iteration. Different keys give unrelated streams.
    """
    torch_seed = _seed_host(key)
    torch.manual_seed(torch_seed)  # also on every GPU


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Seed the CPU's generators inside the context, and restore their states after it.

    Args:
        *key: See :func:`seed_everything`.
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
    return int.from_bytes(words[6:].tobytes(), "little") >> 1  # torch's seeds are signed
