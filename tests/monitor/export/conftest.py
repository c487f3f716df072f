from __future__ import annotations

import pytest

from lwam_mm.monitor.export.exported import read_build
from lwam_mm.monitor.measure.plate import Plate

# 64 px are 32 mm, and y turns: the frame's points down, the plate's to the back.
PLATE = Plate([(0, 0), (64, 0), (64, 64), (0, 64)], [(10, 52), (42, 52), (42, 20), (10, 20)])


@pytest.fixture
def exported(record, build):
    """Return a function that reads the recorded build for an export."""

    def read(plate=PLATE, layer_height_um=30.0, name="B1", step="recoated"):
        return read_build(record, name, step, plate, layer_height_um)

    return read
