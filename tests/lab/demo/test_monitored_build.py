"""A drawn build through the monitor's own commands."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tiny_bundle import tiny_manifest, write_tiny_bundle

from lwam_mm.datasets.synthetic import draw_layer, make_build
from lwam_mm.lab.demo.monitored_build import monitor_build
from lwam_mm.monitor.record.queries import build_status
from lwam_mm.monitor.record.store import Record
from lwam_mm.runtime import InputSpec
from lwam_mm.utils.errors import UserError


@pytest.fixture
def bundle(tmp_path):
    spec = InputSpec("image", None, (0, 0, 0), (1, 1, 1), resize="pad")
    return write_tiny_bundle(tmp_path, manifest=tiny_manifest(input=spec))


def test_every_layer_is_recorded_also_when_run_again(bundle, tmp_path):
    folder, said = tmp_path / "monitor", []
    for _ in range(2):
        monitor_build(folder, bundle, layers=6, size=64, seed=0, say=said.append)
    with Record(folder / "record").reading() as session:
        (status,) = build_status(session)
    assert (status.build, status.seen, status.missing) == ("drawn", 6, 0)
    assert "Build drawn" in (folder / "report.html").read_text("utf-8")
    assert [line.split()[3] for line in said] == ["init", "run", "status", "report"] * 2


def test_the_first_half_is_clean(bundle, tmp_path):
    monitor_build(tmp_path / "monitor", bundle, layers=6, size=64, seed=0, say=print)
    written = [
        cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        for path in sorted((tmp_path / "monitor" / "layers").iterdir())
    ]
    build = make_build(0, 1000, 64, 6)
    for layer, image in enumerate(written):
        clean, _ = draw_layer(build, layer, with_defects=False)
        drawn, _ = draw_layer(build, layer)
        assert np.array_equal(image, clean if layer < 3 else drawn)


def test_a_command_that_fails_ends_the_demo(tmp_path):
    with pytest.raises(UserError, match=r"monitor\.py init .* failed"):
        monitor_build(tmp_path / "monitor", tmp_path / "no", layers=4, size=64, seed=0, say=print)
