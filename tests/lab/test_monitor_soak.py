"""The soak test itself, on a few small layers."""

import numpy as np
import pytest
from tiny_bundle import tiny_manifest, write_tiny_bundle

from lwam_mm.lab import monitor_soak
from lwam_mm.lab.monitor_soak import SoakResult, soak
from lwam_mm.runtime import InputSpec


def test_every_layer_is_measured_and_removed(tmp_path):
    spec = InputSpec("image", None, (0, 0, 0), (1, 1, 1), resize="pad")
    bundle = write_tiny_bundle(tmp_path, manifest=tiny_manifest(input=spec))
    result = soak(bundle, tmp_path / "soak", 6, 64, threads=1, say=print)
    assert len(result.recorded_ms) == len(result.predictor_ms) == len(result.memory_mb) == 6
    assert all(a > b for a, b in zip(result.recorded_ms, result.predictor_ms, strict=True))
    assert not list((tmp_path / "soak" / "layers").iterdir())
    assert result.database_mb > 0
    assert result.masks_mb > 0


def test_frames_are_layers_of_their_own():
    frames = [data for data, _ in zip(monitor_soak._frames(64), range(60), strict=False)]
    assert len(set(frames)) == 60


def test_the_table_says_what_is_aimed_at(monkeypatch):
    monkeypatch.setattr(monitor_soak, "POLL_S", 0.05)
    result = SoakResult([150.0] * 3000, [40.0] * 3000, [400.0] * 1000 + [410.0] * 2000)
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:4]]
        for cells in (line.split("|") for line in result.table().splitlines()[2:])
    }
    assert rows["the same, p99, ms"] == ["150", "at most 160"]  # 1.5 x 40 + 2 polls of 50
    assert rows["memory, last 1,000, MB"] == ["410", "at most 430"]
    assert rows["layers"][0] == "3,000"


def test_memory_is_that_of_this_process():
    before = monitor_soak.resident_mb()
    held = np.ones(200_000_000 // 8)
    # The system may take back what else this process holds.
    assert monitor_soak.resident_mb() - before == pytest.approx(200, abs=80)
    assert held.all()
