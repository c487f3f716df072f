"""The monitor's judgement, measuring and rules need numpy and OpenCV alone."""

import subprocess
import sys
from pathlib import Path

import pytest

import lwam_mm.monitor

HERE = Path(lwam_mm.monitor.__file__).parent
ROOMS = ["frame", "measure", "decide"]

LEAN = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
heavy = {"torch", "mmengine", "mmcv", "mmseg", "scipy", "matplotlib", "sqlalchemy", "fastapi"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
print("lean")
"""


@pytest.mark.parametrize("room", ROOMS)
def test_neither_torch_nor_a_database_is_imported(room):
    names = [f"lwam_mm.monitor.{room}.{path.stem}" for path in sorted((HERE / room).glob("*.py"))]
    assert len(names) > 3
    done = subprocess.run(
        [sys.executable, "-c", LEAN, *names], cwd=HERE.parents[1], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "lean\n", "")
