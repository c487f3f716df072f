from __future__ import annotations

import random

import numpy as np
import torch

from lwam_mm.utils.seeding import seed_everything, seeded


def draw() -> tuple[float, float, float]:
    return random.random(), np.random.random(), torch.rand(()).item()  # noqa: NPY002


def test_key_alone_decides():
    def run(*key: int) -> tuple[float, float, float]:
        draw()
        seed_everything(*key)
        return draw()

    first, again, others = run(3, 1, 7), run(3, 1, 7), [run(3, 1, 8), run(3, 2, 7), run(4, 1, 7)]
    assert first == again
    for kind in range(3):
        assert len({drawn[kind] for drawn in (first, *others)}) == 4


def test_streams_go_on_behind_it_as_if_nothing_had_been():
    seed_everything(1)
    expected = [draw(), draw()]
    seed_everything(1)
    found = [draw()]
    with seeded(2):
        inside = draw()
    found.append(draw())
    assert found == expected
    seed_everything(2)
    assert draw() == inside
