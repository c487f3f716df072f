import importlib
import subprocess
import sys

import pytest

from lwam_mm.runtime.engines.telemetry import no_telemetry

SILENT = """
import sys
from pathlib import Path
import numpy as np
from lwam_mm.runtime import Predictor

Predictor(sys.argv[1])(np.zeros((20, 30, 3), np.uint8))
assert "openvino" in sys.modules
assert "openvino_telemetry" not in sys.modules, "OpenVINO could report to its vendor"
assert not list(Path.home().iterdir()), "something was written into the user's home"
"""


def test_a_prediction_by_openvino_tells_nobody(make_bundle, new_manifest, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    bundle = make_bundle(manifest=new_manifest(engine="openvino"))
    done = subprocess.run(
        [sys.executable, "-c", SILENT, str(bundle)],
        env={"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_was_imported_before_stays(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino_telemetry", sys)
    with no_telemetry(), pytest.raises(ImportError):
        importlib.import_module("openvino_telemetry")
    assert sys.modules["openvino_telemetry"] is sys
    monkeypatch.delitem(sys.modules, "openvino_telemetry")
    with no_telemetry():
        pass
    assert "openvino_telemetry" not in sys.modules
