"""The wheel, as a user gets it: into an empty environment, run from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lwam_mm.runtime import InputSpec, Manifest, OutputSpec, write_bundle

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory) -> Path:
    """Built from a copy, so that the checkout stays clean."""
    copy = tmp_path_factory.mktemp("source") / "lwam_mm"
    wanted = "lwam_mm configs tools setup.py pyproject.toml model-index.yml README.md LICENSE"
    copy.mkdir()
    for name in wanted.split():
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "-w", out, copy], check=True)
    (built,) = out.glob("lwam_mm-*.whl")
    return built


def test_wheel_carries_configs_and_tools(wheel, repository):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("configs", "tools"):
        for path in (repository / folder).rglob("*.py"):
            assert f"lwam_mm/.mim/{path.relative_to(repository).as_posix()}" in names
    data = [path for path in (repository / "lwam_mm").rglob("*.*") if path.is_file()]
    data = [path for path in data if path.suffix not in (".py", ".pyc")]
    assert {".html", ".js", ".css", ".pth"} <= {path.suffix for path in data}
    for path in data:
        assert path.relative_to(repository).as_posix() in names
    assert "lwam_mm/.mim/model-index.yml" in names
    assert "lwam_mm/.mim/configs/lwrnet/metafile.yml" in names
    assert not any(name.startswith(("tests/", "configs/", "tools/")) for name in names)


def test_each_extra_asks_for_one_opencv_and_the_package_itself_for_none(wheel):
    """The two packages of OpenCV write the same folder."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        lines = archive.read(name).decode().splitlines()
    opencv = sorted(line.split(">=")[0] + line.split(";")[-1] for line in lines if "opencv" in line)
    assert [line for line in opencv if line.startswith("Requires-Dist")] == [
        *(
            f'Requires-Dist: opencv-python extra == "{extra}"'
            for extra in ["ncnn", "openvino", "runtime", "train"]
        ),
        *(
            f'Requires-Dist: opencv-python-headless extra == "{extra}-headless"'
            for extra in ["ncnn", "openvino", "runtime"]
        ),
    ]


@pytest.fixture(scope="module")
def threshold_bundle(tmp_path_factory) -> Path:
    """A bundle whose network is one convolution: bright pixels are class 1."""
    weight = np.zeros((2, 3, 1, 1), np.float32)
    weight[1, 0] = 1
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input", "weight"], ["output"])],
        "threshold",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 2, 16, 16])],
        [numpy_helper.from_array(weight, "weight")],
    )
    folder = tmp_path_factory.mktemp("bundle")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    manifest = Manifest(
        classes=("dark", "bright"),
        palette=((0, 0, 0), (255, 0, 0)),
        engine="onnxruntime",
        precision="float32",
        model="model.onnx",
        input=InputSpec("input", (16, 16), (128.0,) * 3, (64.0,) * 3, "stretch"),
        output=OutputSpec("output"),
    )
    return write_bundle(folder / "bundle", manifest, {"model.onnx": folder / "model.onnx"}).root


def run(python: Path, *args: object, cwd: Path) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(python), *map(str, args)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_runtime_side_alone(wheel, threshold_bundle, repository, tmp_path):
    """numpy, OpenCV and an engine are all that a machine beside the printer needs."""
    import cv2

    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    constraints = repository / "requirements" / "constraints.txt"
    pip = [python, "-m", "pip", "install", "--quiet", "-c", constraints]
    installed = run(*pip, f"lwam-mm[runtime] @ {wheel.as_uri()}", cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr[-2000:]
    empty = tmp_path / "empty"
    empty.mkdir()
    found = run(
        python,
        "-c",
        "import importlib.util as u, lwam_mm, pathlib;"
        "assert not any(u.find_spec(m) for m in ('torch', 'mmengine', 'mmcv', 'mmseg'));"
        "print(pathlib.Path(lwam_mm.__file__).parent / '.mim')",
        cwd=empty,
    )
    assert found.returncode == 0, found.stderr
    tools = Path(found.stdout.strip()) / "tools"
    assert tmp_path / "env" in tools.parents

    pixels = np.zeros((16, 16), np.uint8)
    pixels[:, 4:] = 255
    cv2.imwrite(str(empty / "layer.png"), pixels)
    predicted = run(
        python, tools / "predict.py", threshold_bundle, "layer.png", "--out", "out", cwd=empty
    )
    assert predicted.returncode == 0, predicted.stderr
    mask = cv2.imread(str(empty / "out" / "masks" / "layer.png"), cv2.IMREAD_UNCHANGED)
    assert (mask == (pixels > 0)).all()
    drawn = run(
        python, tools / "make_synthetic.py", "data", "--images", "10", "--size", "48", cwd=empty
    )
    assert drawn.returncode == 0, drawn.stderr
    assert len(list((empty / "data" / "images").rglob("*.png"))) == 10


def test_training_side(wheel, tiny_data, tmp_path):
    """Training from the wheel's own tools and configs; the checkout is out of reach."""
    import torch

    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    # The packages that it stands on, without installing gigabytes again. Only lines that begin
    # with "import" are run in a .pth, so the checkout's editable install stays out.
    # mmengine needs distutils, which setuptools provides by its own .pth file from 3.12 on.
    (site / "dependencies.pth").write_text(
        f"{Path(torch.__file__).parent.parent}\n"
        "import _distutils_hack; _distutils_hack.add_shim()\n"
    )
    mim = site / "lwam_mm" / ".mim"
    (config,) = (mim / "configs" / "demo").glob("lwrnet-*.py")
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run(
        python,
        mim / "tools" / "train.py",
        config,
        "--data-root",
        tiny_data,
        "--work-dir",
        "run",
        "--cfg-options",
        "train_cfg.max_iters=2",
        "train_cfg.val_interval=2",
        "default_hooks.checkpoint.interval=2",
        "model.backbone.base_channels=8",
        "model.decode_head.base_channels=8",
        cwd=empty,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert list((empty / "run").glob("best_mIoU_iter_*.pth"))
    where = run(python, "-c", "import lwam_mm; print(lwam_mm.__file__)", cwd=empty)
    assert Path(where.stdout.strip()).is_relative_to(site)
