from __future__ import annotations

import time

import pytest

from lwam_mm.datasets.powder_bed import PowderBedDataset
from lwam_mm.lab.benchmark.distillation import (
    ROWS,
    STOCK,
    DistillationSettings,
    largest_difference,
    write_inputs,
)
from lwam_mm.lab.benchmark.worker import load


@pytest.fixture
def inputs(narrow, tmp_path) -> dict:
    return write_inputs(DistillationSettings(narrow, size=32, batch=2, threads=1), tmp_path)


def test_losses_at_the_weights_of_each_step(inputs, tmp_path):
    states = [str(tmp_path / f"state{step}.pth") for step in range(5)]  # one more than batches

    def losses(key: str, function: str = "losses_at_states") -> list[dict[str, float]]:
        call = load(ROWS[key].task(function, inputs, states=states))
        return [call() for _ in states]

    stock = losses(STOCK, "training_steps")
    assert len({step["loss"] for step in stock}) == len(states)
    assert largest_difference(losses("frozen"), stock) < 1e-6
    # bfloat16 has 8 bits: its steps are recognised because they are close, not equal.
    assert 1e-5 < largest_difference(losses("bfloat16"), stock) < 0.1
    states.reverse()
    assert largest_difference(losses("frozen"), stock) > 1e-3


def test_waiting_for_data_is_measured(inputs, monkeypatch):
    load_image = PowderBedDataset.__getitem__

    def load_slowly(self, index):
        time.sleep(0.5)
        return load_image(self, index)

    monkeypatch.setattr(PowderBedDataset, "__getitem__", load_slowly)
    call = load(ROWS["channels-last"].task("waiting_for_data", inputs, steps=3))
    assert 0.5 < call() < 1
