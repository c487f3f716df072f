"""The deploy configs by MMDeploy's own tools, with labels in the graph, and TensorRT's ONNX."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from mmdeploy.apis import build_task_processor, torch2onnx
from mmdeploy.apis.utils import to_backend
from mmdeploy.utils import (
    get_backend,
    get_calib_filename,
    get_common_config,
    get_input_shape,
    get_model_inputs,
    get_precision,
    is_dynamic_shape,
)
from mmengine.config import Config

import lwam_mm.deploy  # noqa: F401
from lwam_mm.deploy.backends.errors import is_installed
from lwam_mm.deploy.codebase import DeployConfigError

FOLDER = Path(__file__).resolve().parents[2] / "configs/deploy"
LEAVES = sorted(path.name for path in FOLDER.glob("*.py"))

# What MMDeploy's tools/deploy.py, which its wheel lacks, does after the export: it converts in a
# process that has imported nothing of ours but through the config, and draws a picture.
STOCK_TOOL = """
import sys
from mmdeploy.apis import visualize_model
from mmdeploy.apis.utils import to_backend
from mmdeploy.utils import get_backend, load_config

image, config, onnx_file, folder, *deploy_configs = sys.argv[1:]
for path in deploy_configs:
    deploy_config, _ = load_config(path, config)
    backend = get_backend(deploy_config)
    work_dir = f"{folder}/{backend.value}"
    files = to_backend(
        backend, [onnx_file], work_dir=work_dir, deploy_cfg=deploy_config,
        log_level=20, device="cpu", uri=None,
    )
    visualize_model(
        config, path, files, image, "cpu", backend=backend, output_file=f"{work_dir}/out.jpg"
    )
"""


def test_there_are_configs_for_every_backend():
    backends = {get_backend(Config.fromfile(FOLDER / name)).value for name in LEAVES}
    assert backends == {"onnxruntime", "openvino", "ncnn", "tensorrt"}


@pytest.mark.parametrize("name", LEAVES)
def test_names_say_what_the_configs_do(name):
    """segmentation_{backend}[-{precision}][_labels]_{dynamic,static-{width}x{height}}.py"""
    config = Config.fromfile(FOLDER / name)
    engine, *labels, shape = name.removesuffix(".py").split("_")[1:]
    backend, _, precision = engine.partition("-")
    assert (FOLDER / name).read_text().startswith("# ")
    assert get_backend(config).value == backend
    assert get_precision(config) == (precision or "fp32").upper()
    assert config.codebase_config.with_argmax is (labels == ["labels"])
    assert is_dynamic_shape(config) is (shape == "dynamic")
    size = get_input_shape(config)
    assert shape == ("dynamic" if size is None else f"static-{size[0]}x{size[1]}")


def test_siblings_differ_in_size_alone():
    """A backend and precision has one gate and one engine, whatever the size of the model."""
    siblings = {}
    for name in LEAVES:
        config = Config.fromfile(FOLDER / name).to_dict()
        config["onnx_config"] = {
            key: value
            for key, value in config["onnx_config"].items()
            if key not in ("input_shape", "dynamic_axes")
        }
        config["backend_config"].pop("model_inputs", None)
        config = {key: value for key, value in config.items() if not key.startswith("_")}
        kind = name.removesuffix(".py").rpartition("_")[0]
        siblings.setdefault(kind, {})[name] = config
    for kind, configs in siblings.items():
        first, *others = configs.values()
        assert all(other == first for other in others), kind
    limits = {kind: next(iter(c.values()))["gate"]["limits"] for kind, c in siblings.items()}
    half = limits.pop("segmentation_ncnn-fp16")
    assert half["exported"].keys() == {"agreement", "miou", "class_iou"}
    assert len({str(value) for value in limits.values()}) == 1


@pytest.fixture(scope="module")
def export(student_config, student_checkpoint, tmp_path_factory):
    """Function from a deploy config's name to the task and the ONNX file."""

    def run(name: str):
        deploy_config = Config.fromfile(FOLDER / name)
        config = Config.fromfile(student_config)
        folder = tmp_path_factory.mktemp("export")
        image = np.zeros((64, 64, 3), np.uint8)
        torch2onnx(
            image,
            str(folder),
            "end2end.onnx",
            deploy_config,
            config,
            str(student_checkpoint),
            "cpu",
        )
        task = build_task_processor(config, deploy_config, "cpu")
        return task, folder / "end2end.onnx"

    return run


def test_mmdeploys_own_tool_converts_for_openvino_and_ncnn(
    export, student_config, test_images, tmp_path
):
    if not is_installed("openvino", "ncnn", "pnnx"):
        pytest.skip("needs openvino, ncnn and pnnx")
    _, onnx_file = export("segmentation_onnxruntime_dynamic.py")
    configs = [FOLDER / f"segmentation_{name}_dynamic.py" for name in ("openvino", "ncnn")]
    arguments = [test_images[0], student_config, onnx_file, tmp_path, *configs]
    done = subprocess.run(
        [sys.executable, "-c", STOCK_TOOL, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path / "home")},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not (tmp_path / "home/intel").exists()  # where OpenVINO keeps what it reports with
    for backend, suffix in (("openvino", ".xml"), ("ncnn", ".param")):
        files = sorted(path.name for path in (tmp_path / backend).glob("end2end.*"))
        assert files == ["end2end.bin", f"end2end{suffix}"]
        (picture,) = (tmp_path / backend).glob("out*.png")
        assert picture.stat().st_size > 1000


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_labels_in_the_graph_are_torchs_argmax(backend, export, student_checkpoint, torch_labels):
    if not is_installed(backend):
        pytest.skip(f"needs {backend}")
    task, onnx_file = export(f"segmentation_{backend}_labels_dynamic.py")
    files = to_backend(
        backend, [str(onnx_file)], work_dir=str(onnx_file.parent), deploy_cfg=task.deploy_cfg
    )
    model = task.build_backend_model(files)
    images = torch.randn(2, 3, 48, 80, generator=torch.Generator().manual_seed(0))
    found = model.wrapper({"input": images})["output"]
    folded = task.build_pytorch_model(str(student_checkpoint))
    with torch.no_grad():
        expected = folded(images, mode="tensor").argmax(1, keepdim=True)
    assert len(expected.unique()) > 2
    assert found.dtype == torch.int64
    assert found.shape == expected.shape
    assert (found == expected).float().mean() > 0.999

    sizes = set()
    for image, expected_labels in torch_labels.items():
        batch, _ = task.create_input(str(image))
        sizes.add(expected_labels.shape)
        if expected_labels.shape == (64, 64):  # the size that the pipeline resizes to
            (sample,) = model.test_step(batch)
            labels = sample.pred_sem_seg.data
            assert labels.shape == (1, 64, 64)
            assert np.mean(labels[0].numpy() == expected_labels) > 0.999
        else:
            with pytest.raises(DeployConfigError, match="labels come as 64x64"):
                model.test_step(batch)
    assert len(sizes) > 1
    assert (64, 64) in sizes


def test_padding_is_cut_off_labels():
    from mmseg.structures import SegDataSample

    from lwam_mm.deploy.codebase import LabelsEnd2EndModel

    labels = torch.arange(24).reshape(1, 1, 4, 6)
    sample = SegDataSample(
        metainfo=dict(ori_shape=(2, 3), img_shape=(2, 3), img_padding_size=[0, 3, 0, 2])
    )
    (packed,) = LabelsEnd2EndModel.pack_result(None, labels, [sample])
    assert packed.pred_sem_seg.data.tolist() == [[[0, 1, 2], [6, 7, 8]]]


@pytest.mark.parametrize(("kind", "with_argmax"), [("logits", True), ("labels", False)])
def test_graph_and_model_type_have_to_agree(kind, with_argmax, student_config):
    """MMDeploy would take the argmax of labels, which is 0 everywhere, without a word."""
    config = Config.fromfile(FOLDER / "segmentation_onnxruntime_dynamic.py")
    config.codebase_config.update(model_type=f"{kind}_end2end", with_argmax=with_argmax)
    task = build_task_processor(Config.fromfile(student_config), config, "cpu")
    with pytest.raises(DeployConfigError, match=rf"with_argmax is {with_argmax}"):
        task.build_backend_model(["never_opened.onnx"])


@pytest.mark.parametrize("size", [256, 1024])
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_tensorrt_configs_say_what_mmdeploy_asks_for(precision, size):
    config = Config.fromfile(FOLDER / f"segmentation_tensorrt-{precision}_static-{size}x{size}.py")
    common = get_common_config(config)
    assert common["fp16_mode"] is True
    assert common["int8_mode"] is (precision == "int8")
    assert common["max_workspace_size"] == 2**30
    (inputs,) = get_model_inputs(config)
    shape = [1, 3, size, size]
    assert inputs["input_shapes"] == {
        "input": dict(min_shape=shape, opt_shape=shape, max_shape=shape)
    }
    assert list(inputs["input_shapes"]) == config.onnx_config.input_names
    assert get_calib_filename(config) == ("calib_data.h5" if precision == "int8" else None)


def test_tensorrts_onnx_is_static_and_plain(export, monkeypatch):
    """As far as a machine without a GPU can tell; MMDeploy refuses to export on a CPU for it."""
    monkeypatch.setattr("mmdeploy.apis.utils.utils.check_backend_device", lambda **kwargs: None)
    task, onnx_file = export("segmentation_tensorrt-int8_static-256x256.py")
    assert get_backend(task.deploy_cfg).value == "tensorrt"
    onnx.checker.check_model(str(onnx_file), full_check=True)
    graph = onnx.load(onnx_file).graph
    operators = [node.op_type for node in graph.node if node.op_type != "Identity"]
    assert set(operators) == {"Conv", "ConvTranspose", "Relu"}
    assert (operators.count("Conv"), operators.count("ConvTranspose")) == (11, 4)
    assert {node.domain for node in graph.node} == {""}
    for value, channels in ((graph.input[0], 3), (graph.output[0], 6)):
        dimensions = value.type.tensor_type.shape.dim
        assert [dimension.dim_value for dimension in dimensions] == [1, channels, 256, 256]
    assert [graph.input[0].name, graph.output[0].name] == ["input", "output"]
