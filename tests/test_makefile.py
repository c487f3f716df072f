"""What `make install` asks pip for, seen through an interpreter that only writes it down."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FAKE_PYTHON = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in *"pip show"*) exit {mmcv_is_missing};; esac
"""


@pytest.fixture
def install(repository, tmp_path):
    """Function running `make install` where mmcv is or is not there; gives pip's arguments."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")

    def run(mmcv: bool) -> list[str]:
        environment = tmp_path / "env"
        (environment / "bin").mkdir(parents=True)
        log = tmp_path / "log"
        python = environment / "bin" / "python"
        python.write_text(FAKE_PYTHON.format(log=log, mmcv_is_missing=int(not mmcv)))
        python.chmod(0o755)
        command = ["make", "-C", str(repository), "install", f"VENV={environment}"]
        subprocess.run(command, check=True, capture_output=True)
        return [line for line in log.read_text().splitlines() if "install" in line.split()]

    return run


def test_mmcv_lite_where_there_is_no_mmcv(install):
    calls = install(mmcv=False)
    assert any(call.endswith("-e .[train,lite,deploy,dev]") for call in calls)
    assert all("-c requirements/constraints.txt" in call for call in calls)


def test_an_mmcv_that_is_there_is_not_overwritten(install):
    calls = install(mmcv=True)
    assert any(call.endswith("-e .[train,deploy,dev]") for call in calls)
    assert not any("lite" in call for call in calls)


def test_mmdeploy_comes_without_its_requirements(install, repository):
    (call,) = [call for call in install(mmcv=False) if "--no-deps" in call]
    assert call.endswith("-r requirements/no-deps.txt")
    named = [
        line
        for line in Path(repository / "requirements" / "no-deps.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert named == ["mmdeploy==1.3.1"]
