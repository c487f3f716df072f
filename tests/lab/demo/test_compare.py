from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from lwam_mm.datasets.layout import Pair
from lwam_mm.lab.demo.compare import _choose_layers, measure_in_turn


def test_functions_take_turns():
    calls = []
    measure_in_turn(dict(a=lambda: calls.append("a"), b=lambda: calls.append("b")), rounds=2)
    assert calls == ["a", "b"] * 5  # three rounds of warm-up


def test_median_in_milliseconds(monkeypatch):
    """Of 1, 2 and 9 s after a warm-up of one round."""
    clock = iter([0, 50, 50, 51, 60, 62, 70, 79])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert measure_in_turn(dict(a=lambda: None), rounds=3, warm_up=1) == {"a": pytest.approx(2000)}


def test_layers_are_shown_that_add_classes():
    contents = [[0], [0, 1], [0, 1, 2, 255], [0, 3], [0, 1]]
    pairs = [Pair(str(at), Path(f"{at}.png"), None) for at in range(5)]
    truths = {pair: np.array(found) for pair, found in zip(pairs, contents, strict=True)}
    chosen = [pair.stem for pair in _choose_layers(truths)]
    assert chosen == ["2", "3", "1", "4", "0"]
    many = {Pair(str(at), Path(f"{at}.png"), None): np.array([0, 1]) for at in range(9)}
    assert len(_choose_layers(many)) == 6
