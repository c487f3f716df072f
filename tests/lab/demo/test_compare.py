from __future__ import annotations

import time

import numpy as np
import pytest

from lwam_mm.lab.demo.compare import choose_layers, measure_in_turn


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
    assert choose_layers([np.array(found) for found in contents]) == [2, 3, 1, 4, 0]
    assert len(choose_layers([np.array([0, 1])] * 9)) == 6
