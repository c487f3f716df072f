"""An OpenCV that cannot be imported, as a fake package that comes before the real one."""

import os
import subprocess
import sys

import pytest

from lwam_mm.utils.opencv import check_opencv

BROKEN = {
    "not installed": (
        "raise ModuleNotFoundError(\"No module named 'cv2'\", name='cv2')",
        "OpenCV is not installed: pip install opencv-python, or pip install opencv-python-headless",
    ),
    "library": (
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file')",
        "libGL.so.1",
    ),
    "numpy": ("raise ImportError('numpy.core.multiarray failed to import')", "multiarray failed"),
    "emptied": ("", "pip uninstall -y opencv-python opencv-python-headless && pip install"),
}
APT = "apt-get install -y libgl1 libglib2.0-0 libxcb1"


@pytest.fixture(params=BROKEN)
def broken(request, tmp_path):
    """What the message has to say, and an environment in which `import cv2` fails."""
    code, message = BROKEN[request.param]
    (tmp_path / "cv2.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    return request.param, message, {**os.environ, "PYTHONPATH": path}


def run(env, *arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=env)


def test_an_opencv_that_works_passes():
    check_opencv()


def test_what_is_wrong_is_one_line_with_the_command_that_helps(broken):
    kind, message, env = broken
    done = run(env, "-m", "lwam_mm.utils.opencv")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: OpenCV")
    assert message in line
    assert "pip install opencv-python-headless" in line
    assert (APT in line) == (kind == "library")


def test_the_runtime_says_it_instead_of_the_original_error(broken):
    _, message, env = broken
    done = run(env, "-c", "import lwam_mm.runtime")
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert done.stderr.count("Traceback") == 1


def test_predict_prints_the_line_alone(broken, repository, tmp_path):
    _, message, env = broken
    tool = repository / "tools" / "predict.py"
    done = run(env, str(tool), "bundle", "image.png", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: OpenCV")
    assert message in line
