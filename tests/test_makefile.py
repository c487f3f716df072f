"""What `make install` asks of pip, through an interpreter that only logs it, and its last check."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAKE_PYTHON = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in
*"pip show"*) exit {mmcv_is_missing};;
*lwam_mm.utils.opencv*) exec {python} "$@";;
esac
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
        python.write_text(
            FAKE_PYTHON.format(log=log, mmcv_is_missing=int(not mmcv), python=sys.executable)
        )
        python.chmod(0o755)
        command = ["make", "-C", str(repository), "install", f"VENV={environment}"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return [line for line in log.read_text().splitlines() if "install" in line.split()]

    return run


def test_mmcv_lite_where_there_is_no_mmcv(install):
    calls = install(mmcv=False)
    assert any(call.endswith("-e .[train,lite,deploy,monitor,dev]") for call in calls)
    assert all("-c requirements/constraints.txt" in call for call in calls)


def test_an_mmcv_that_is_there_is_not_overwritten(install):
    calls = install(mmcv=True)
    assert any(call.endswith("-e .[train,deploy,monitor,dev]") for call in calls)
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


@pytest.fixture
def broken_opencv(tmp_path, monkeypatch) -> Path:
    """An OpenCV that fails as it does on a bare server, before the real one on the path."""
    file = tmp_path / "broken" / "cv2.py"
    file.parent.mkdir()
    file.write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(file.parent), *filter(None, sys.path)]))
    return file


def test_a_bare_machine_is_told_what_to_install(install, broken_opencv, tmp_path):
    with pytest.raises(subprocess.CalledProcessError) as error:
        install(mmcv=False)
    (line,) = [line for line in error.value.stderr.splitlines() if line.startswith("error: ")]
    assert "apt-get install -y libgl1 libglib2.0-0 libxcb1" in line
    assert "Traceback" not in error.value.stderr
    assert not (tmp_path / "env" / ".lwam_mm_installed").exists()  # so the next make checks again


@pytest.mark.parametrize("tool", ["train.py", "test.py"])
def test_tools_of_the_training_side_say_the_same(repository, broken_opencv, tool):
    command = [sys.executable, str(repository / "tools" / tool), "config.py", "checkpoint.pth"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: OpenCV needs a library")
