from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from mmdeploy.apis import build_task_processor, torch2onnx
from mmdeploy.apis.utils import to_backend
from mmdeploy.backend.base import BACKEND_WRAPPER, get_backend_manager
from mmengine.config import Config

import lwam_mm.deploy  # noqa: F401
from lwam_mm.deploy.backends import BackendError, OpenVINOManager, OpenVINOWrapper, errors
from lwam_mm.engine.launch import evaluate, load_config
from lwam_mm.runtime.engines.openvino_core import openvino_core


@pytest.fixture(scope="module")
def folded(repository, student_config, student_checkpoint):
    deploy_config = Config.fromfile(repository / "configs/deploy/segmentation_openvino_dynamic.py")
    task = build_task_processor(Config.fromfile(student_config), deploy_config, "cpu")
    return task.build_pytorch_model(str(student_checkpoint))


@pytest.fixture(scope="module")
def deploy(repository, student_config, student_checkpoint, tmp_path_factory):
    """Function that exports by MMDeploy with one of our configs, at 64x64."""

    def run(name: str):
        deploy_config = Config.fromfile(repository / f"configs/deploy/{name}.py")
        if deploy_config.onnx_config.input_shape is not None:
            deploy_config.onnx_config.input_shape = [64, 64]
        config = Config.fromfile(student_config)
        folder = str(tmp_path_factory.mktemp(name))
        image = np.zeros((64, 64, 3), np.uint8)
        torch2onnx(
            image, folder, "end2end.onnx", deploy_config, config, str(student_checkpoint), "cpu"
        )
        files = to_backend(
            "openvino", [f"{folder}/end2end.onnx"], work_dir=folder, deploy_cfg=deploy_config
        )
        return build_task_processor(config, deploy_config, "cpu"), files

    return run


@pytest.fixture(scope="module")
def dynamic(deploy):
    return deploy("segmentation_openvino_dynamic")


@pytest.fixture(scope="module")
def static(deploy):
    return deploy("segmentation_openvino_static-256x256")


def assert_same_logits(model, folded, shape):
    images = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    found = model.wrapper({"input": images})
    assert list(found) == ["output"]
    with torch.no_grad():
        expected = folded(images, mode="tensor")
    assert expected.std() > 0.1  # a telling comparison
    assert found["output"].shape == expected.shape
    torch.testing.assert_close(found["output"], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (3, 3, 48, 80), (2, 3, 96, 16)])
def test_any_batch_and_size_gives_torchs_logits(dynamic, folded, shape):
    task, files = dynamic
    assert_same_logits(task.build_backend_model(files), folded, shape)


def test_static_model_takes_any_batch_of_its_size(static, folded):
    task, files = static
    model = task.build_backend_model(files)
    assert_same_logits(model, folded, (1, 3, 64, 64))
    assert_same_logits(model, folded, (3, 3, 64, 64))
    with pytest.raises(BackendError, match=r"1, 3, 48, 80.*takes .*\[1,3,64,64\]"):
        model.wrapper({"input": torch.zeros(2, 3, 48, 80)})
    with pytest.raises(BackendError, match=r"'other'.*takes .*'input'"):
        model.wrapper({"other": torch.zeros(1, 3, 64, 64)})
    with pytest.raises(BackendError, match="0 were given"):
        model.wrapper({"input": torch.zeros(0, 3, 64, 64)})


def test_results_of_earlier_calls_stay(static):
    task, files = static
    wrapper = task.build_backend_model(files).wrapper
    first = wrapper({"input": torch.ones(1, 3, 64, 64)})["output"]
    before = first.clone()
    wrapper({"input": -torch.ones(1, 3, 64, 64)})
    assert torch.equal(first, before)


def test_weights_and_arithmetic_are_float32(dynamic):
    task, files = dynamic
    constants = [
        node.get_element_type()
        for node in openvino_core().read_model(files[0]).get_ops()
        if node.get_type_name() == "Constant"
    ]
    assert openvino.Type.f32 in constants
    assert openvino.Type.f16 not in constants
    compiled = task.build_backend_model(files).wrapper._compiled
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32


def test_mmdeploys_runner_scores_as_torch_does(
    static, student_config, student_checkpoint, tmp_path
):
    task, files = static
    runner = task.build_test_runner(task.build_backend_model(files), str(tmp_path / "exported"))
    exported = runner.test()
    expected = evaluate(
        load_config(student_config, work_dir=tmp_path / "torch"), student_checkpoint
    )
    assert exported["mIoU"] == pytest.approx(expected["mIoU"], abs=0.01)
    assert len({round(value, 3) for value in expected.values()}) > 4


def test_registered_over_mmdeploys_own(dynamic):
    assert get_backend_manager("openvino") is OpenVINOManager
    assert BACKEND_WRAPPER.get("openvino") is OpenVINOWrapper
    assert OpenVINOManager.is_available()
    assert OpenVINOManager.get_version() == openvino.__version__.split("-")[0]
    _, (xml,) = dynamic
    assert sorted(path.name for path in Path(xml).parent.iterdir()) == [
        "end2end.bin",
        "end2end.onnx",
        "end2end.xml",
    ]
    assert OpenVINOWrapper(xml).output_names == ["output"]


def test_unreadable_models_are_named_and_leave_nothing(dynamic, tmp_path):
    _, (xml,) = dynamic
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    out = tmp_path / "out"
    with pytest.raises(BackendError, match=r"broken\.onnx: OpenVINO cannot read"):
        OpenVINOManager.to_backend([str(tmp_path / "broken.onnx")], str(out))
    assert not out.exists()
    with pytest.raises(FileNotFoundError, match=r"absent\.onnx"):
        OpenVINOManager.to_backend([str(tmp_path / "absent.onnx")], str(out))
    with pytest.raises(FileNotFoundError, match=r"absent\.xml"):
        OpenVINOWrapper(str(tmp_path / "absent.xml"))

    cut = tmp_path / "cut.xml"
    cut.write_bytes(Path(xml).read_bytes())
    with pytest.raises(BackendError, match=r"cut\.xml: OpenVINO cannot"):
        OpenVINOWrapper(str(cut))  # no weights beside it
    with pytest.raises(BackendError, match="has no output logits, only output"):
        OpenVINOWrapper(xml, ["logits"])


def test_missing_openvino_is_explained(dynamic, monkeypatch):
    monkeypatch.setattr(errors, "is_installed", lambda *packages: False)
    with pytest.raises(BackendError, match="pip install openvino"):
        OpenVINOWrapper(dynamic[1][0])
