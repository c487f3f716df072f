"""tools/predict.py as a user runs it, where neither torch nor OpenMMLab is installed."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from tiny_bundle import draw_picture, write_tiny_bundle

import lwam_mm

ROOT = Path(lwam_mm.__file__).parents[1]

# None in sys.modules makes an import fail as if the package were not installed.
WITHOUT = """
import runpy, sys
for name in ["torch", "torchvision", "mmengine", "mmcv", "mmseg", "mmrazor", "mmdeploy",
             "matplotlib", "PIL", "scipy", "onnx"]:
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

UTF8 = {**os.environ, "PYTHONUTF8": "1"}


def run(*arguments):
    command = [sys.executable, "-c", WITHOUT, "tools/predict.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=UTF8)


@pytest.fixture
def bundle(tmp_path):
    return write_tiny_bundle(tmp_path)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    for index, name in enumerate(["layer_1.png", "layer_2.png"]):
        assert cv2.imwrite(str(tmp_path / "in" / name), draw_picture(33, 47, index))
    return tmp_path / "in"


def test_the_tool_predicts_a_folder(bundle, folder, tmp_path):
    out = tmp_path / "out"
    done = run(bundle, folder, "--out", out, "--probabilities", "--threads", 1)
    assert (done.returncode, done.stderr) == (0, "")
    assert "[2/2]" in done.stdout
    assert f"2 images predicted, results in {out}" in done.stdout
    for name in ["layer_1", "layer_2"]:
        for result in [f"masks/{name}.png", f"overlays/{name}.png", f"probabilities/{name}.npy"]:
            assert (out / result).is_file()
    assert len((out / "pixels.csv").read_text().splitlines()) == 3


def test_only_the_region_of_interest_counts(bundle, folder, tmp_path):
    roi, out = tmp_path / "roi.json", tmp_path / "out"
    roi.write_text("[[[3, 3], [6, 3], [6, 4], [3, 4]]]")
    assert run(bundle, folder, "--out", out, "--roi", roi).returncode == 0
    mask = cv2.imread(str(out / "masks" / "layer_1.png"), cv2.IMREAD_UNCHANGED)
    mask[3:5, 3:7] = 0
    assert not mask.any()
    roi.write_text("[[[3, 3], [6, 3]]]")
    done = run(bundle, folder, "--out", out, "--roi", roi)
    assert (done.returncode, "three or more points" in done.stderr) == (2, True)


def test_a_bad_image_is_named_in_the_summary_and_gives_status_1(bundle, folder, tmp_path):
    (folder / "layer_0.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "notes.txt").write_text("x")
    done = run(bundle, folder, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "1 inputs FAILED" in done.stderr
    assert "layer_0.jpg is a truncated JPEG" in done.stderr
    assert "1 files and folders skipped" in done.stdout
    assert f"{folder / 'notes.txt'}: no image, by its suffix" in done.stdout
    assert "2 images predicted" in done.stdout


def test_a_file_name_that_cannot_be_printed_does_not_end_the_run(bundle, folder, tmp_path):
    name = os.fsdecode(b"layer_\xff.png")
    try:
        (folder / "layer_2.png").rename(folder / name)
    except OSError:
        pytest.skip("this file system takes valid names only")
    done = run(bundle, folder, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "masks" / name).is_file()
    assert b"layer_\xff.png" in (tmp_path / "out" / "pixels.csv").read_bytes()


@pytest.mark.parametrize("wrong", ["bundle", "threads", "pixels", "out"])
def test_what_stops_everything_gives_status_2_and_one_line(bundle, folder, tmp_path, wrong):
    arguments = {
        "bundle": [tmp_path / "nowhere", folder, "--out", tmp_path / "out"],
        "threads": [bundle, folder, "--out", tmp_path / "out", "--threads", 0],
        "pixels": [bundle, folder, "--out", tmp_path / "out", "--max-pixels", 0],
        "out": [bundle, folder, "--out", bundle / "model.onnx"],
    }[wrong]
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_everything_in_a_folder_is_predicted_failed_or_skipped(bundle, folder, tmp_path):
    (folder / "dangling.png").symlink_to(tmp_path / "gone.png")
    (folder / "latest.png").symlink_to("layer_2.png")
    (folder / "._layer_1.png").write_bytes(b"resource fork")
    (folder / "sub").mkdir()
    done = run(bundle, folder, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "2 images predicted" in done.stdout
    assert "3 files and folders skipped" in done.stdout
    assert f"latest.png: the same file as {folder / 'layer_2.png'}" in done.stdout
    assert "._layer_1.png: hidden" in done.stdout
    assert f"{folder / 'sub'}: a sub-folder" in done.stdout
    assert f"dangling.png is a link to {tmp_path / 'gone.png'}, which does not exist" in done.stderr
    masks = sorted(path.name for path in (tmp_path / "out" / "masks").iterdir())
    assert masks == ["layer_1.png", "layer_2.png"]


def test_a_model_that_fails_names_the_image(folder, tmp_path):
    broken = write_tiny_bundle(tmp_path, scale=float("nan"))
    done = run(broken, folder, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert f"  {folder / 'layer_1.png'}: " in done.stderr
    assert "returned NaN" in done.stderr
