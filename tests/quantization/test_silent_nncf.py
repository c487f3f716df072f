from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from lwam_mm.quantization import silent_nncf
from lwam_mm.quantization.silent_nncf import import_nncf, quiet_nncf

# NNCF also falls silent where it meets pytest, hence a process of its own. What it must not find
# is a package that says on import that it was found.
_FRESH = """
import runpy, sys
runpy.run_path(sys.argv[1])["import_nncf"]()
from nncf.telemetry import wrapper
assert wrapper.telemetry.__class__.__name__ == "MagicMock", wrapper.telemetry
assert "openvino_telemetry" not in sys.modules
"""


def test_import_sends_nothing_and_leaves_the_home_alone(tmp_path):
    spy = tmp_path / "spy" / "openvino_telemetry"
    spy.mkdir(parents=True)
    (spy / "__init__.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('found').touch()\nTelemetry = print\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(spy.parent)}
    command = [sys.executable, "-c", _FRESH, silent_nncf.__file__]
    subprocess.run(command, check=True, env=environment, timeout=120)
    assert not (spy / "found").exists()
    assert not (home / "intel").exists()


def test_chatter_stops_and_comes_back():
    import_nncf()
    import rich

    logger, console = logging.getLogger("nncf"), rich.get_console()
    before = logger.level, console.quiet

    def fail() -> None:
        with quiet_nncf():
            assert logger.getEffectiveLevel() == logging.ERROR
            assert console.quiet
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (logger.level, console.quiet) == before
