from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from mmdeploy.apis import build_task_processor, torch2onnx
from mmdeploy.apis.utils import to_backend
from mmdeploy.backend.base import BACKEND_WRAPPER, get_backend_manager
from mmengine.config import Config

import lwam_mm.deploy  # noqa: F401
from lwam_mm.deploy.backends import BackendError, NcnnManager, NcnnWrapper, errors
from lwam_mm.engine.launch import evaluate, load_config

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")

FLOAT32 = "configs/deploy/segmentation_ncnn_static-256x256.py"
FLOAT16 = "configs/deploy/segmentation_ncnn-fp16_static-256x256.py"


@pytest.fixture(scope="module")
def make_task(repository, student_config):
    def make(name: str):
        deploy_config = Config.fromfile(repository / name)
        deploy_config.onnx_config.input_shape = [64, 64]
        return build_task_processor(Config.fromfile(student_config), deploy_config, "cpu")

    return make


@pytest.fixture(scope="module")
def onnx_file(make_task, student_checkpoint, tmp_path_factory) -> str:
    task = make_task(FLOAT32)
    folder = str(tmp_path_factory.mktemp("onnx"))
    torch2onnx(
        np.zeros((64, 64, 3), np.uint8),
        folder,
        "end2end.onnx",
        task.deploy_cfg,
        task.model_cfg,
        str(student_checkpoint),
        "cpu",
    )
    return f"{folder}/end2end.onnx"


@pytest.fixture(scope="module")
def deploy(make_task, onnx_file, tmp_path_factory):
    def run(name: str):
        task = make_task(name)
        folder = tmp_path_factory.mktemp("ncnn")
        files = to_backend("ncnn", [onnx_file], work_dir=str(folder), deploy_cfg=task.deploy_cfg)
        return task, files

    return run


@pytest.fixture(scope="module")
def float32(deploy):
    return deploy(FLOAT32)


@pytest.fixture(scope="module")
def float16(deploy):
    return deploy(FLOAT16)


@pytest.fixture(scope="module")
def folded(make_task, student_checkpoint):
    return make_task(FLOAT32).build_pytorch_model(str(student_checkpoint))


def difference(task_and_files, folded, shape) -> float:
    """Largest difference of two logits, in spreads of the logits."""
    task, files = task_and_files
    images = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    found = task.build_backend_model(files).wrapper({"input": images})
    assert list(found) == ["output"]
    with torch.no_grad():
        expected = folded(images, mode="tensor")
    assert expected.std() > 0.1  # a telling comparison
    assert found["output"].shape == expected.shape
    assert found["output"].dtype == torch.float32
    return float((found["output"] - expected).abs().max() / expected.std())


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (3, 3, 48, 80)])
def test_any_batch_and_size_gives_torchs_logits(float32, folded, shape):
    assert difference(float32, folded, shape) < 1e-3


def test_float16_is_half_the_file_and_near_torch(float16, float32, folded):
    assert 1e-4 < difference(float16, folded, (2, 3, 64, 64)) < 5e-2
    assert Path(float16[1][1]).stat().st_size < 0.55 * Path(float32[1][1]).stat().st_size


def test_precision_reaches_the_engine(float16, float32):
    for (task, files), fp16 in ((float32, False), (float16, True)):
        options = task.build_backend_model(files).wrapper._net.opt
        assert options.use_fp16_storage is fp16
        assert options.use_fp16_packed is fp16
        assert options.use_fp16_arithmetic is False


def test_only_the_model_is_left_and_keeps_its_names(float32):
    _, (param, weights) = float32
    assert [path.name for path in sorted(Path(param).parent.iterdir())] == [
        "end2end.bin",
        "end2end.param",
    ]
    assert weights.endswith("end2end.bin")
    blobs = Path(param).read_text().split()
    assert {"input", "output"} <= set(blobs)
    assert not {"in0", "out0"} & set(blobs)


def test_mmdeploys_runner_scores_as_torch_does(
    float32, student_config, student_checkpoint, tmp_path
):
    task, files = float32
    runner = task.build_test_runner(task.build_backend_model(files), str(tmp_path / "exported"))
    exported = runner.test()
    expected = evaluate(
        load_config(student_config, work_dir=tmp_path / "torch"), student_checkpoint
    )
    assert exported["mIoU"] == pytest.approx(expected["mIoU"], abs=0.01)
    assert len({round(value, 3) for value in expected.values()}) > 4


def test_registered_over_mmdeploys_own(float32):
    assert get_backend_manager("ncnn") is NcnnManager
    assert BACKEND_WRAPPER.get("ncnn") is NcnnWrapper
    assert NcnnManager.is_available()
    assert not NcnnManager.is_available(with_custom_ops=True)
    assert NcnnManager.get_version()[0].isdigit()
    assert NcnnWrapper.get_backend_file_count() == 2
    wrapper = NcnnWrapper(*float32[1])
    assert wrapper.output_names == ["output"]
    with pytest.raises(BackendError, match="no input other, only input"):
        wrapper({"other": torch.zeros(1, 3, 64, 64)})


def test_unknown_precision_is_refused(float32, onnx_file, tmp_path):
    task, files = float32
    deploy_config = copy.deepcopy(task.deploy_cfg)
    deploy_config.backend_config.precision = "INT8"
    with pytest.raises(BackendError, match=r"precision is 'INT8'.*FP32 or FP16"):
        NcnnManager.to_backend([onnx_file], str(tmp_path), deploy_config)
    with pytest.raises(BackendError, match="precision is 'INT8'"):
        NcnnManager.build_wrapper(files, deploy_cfg=deploy_config)


def test_what_cannot_be_converted_is_named_and_leaves_nothing(float32, tmp_path):
    deploy_config = float32[0].deploy_cfg
    out = tmp_path / "out"
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(BackendError, match=r"broken\.onnx: pnnx cannot convert"):
        NcnnManager.to_backend([str(tmp_path / "broken.onnx")], str(out), deploy_config)
    with pytest.raises(FileNotFoundError, match=r"absent\.onnx"):
        NcnnManager.to_backend([str(tmp_path / "absent.onnx")], str(out), deploy_config)

    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("NonZero", ["input"], ["output"])],
        "unknown to ncnn",
        [value("input", onnx.TensorProto.FLOAT, [1, 3, 16, 16])],
        [value("output", onnx.TensorProto.INT64, [4, None])],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "odd.onnx"
    )
    with pytest.raises(BackendError, match=r"odd\.onnx: "):
        NcnnManager.to_backend([str(tmp_path / "odd.onnx")], str(out), deploy_config)
    assert list(out.iterdir()) == []


def test_unreadable_files_are_named(float32, tmp_path):
    param, weights = map(Path, float32[1])
    with pytest.raises(FileNotFoundError, match=r"absent\.bin"):
        NcnnWrapper(str(param), str(tmp_path / "absent.bin"))
    (tmp_path / "cut.bin").write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BackendError, match=r"cut\.bin: ncnn cannot read"):
        NcnnWrapper(str(param), str(tmp_path / "cut.bin"))
    (tmp_path / "odd.param").write_text("no network\n")
    with pytest.raises(BackendError, match=r"odd\.param: ncnn cannot read"):
        NcnnWrapper(str(tmp_path / "odd.param"), str(weights))
    with pytest.raises(BackendError, match="has no output logits, only output"):
        NcnnWrapper(str(param), str(weights), ["logits"])


def test_missing_packages_are_explained(float32, onnx_file, tmp_path, monkeypatch):
    monkeypatch.setattr(errors, "is_installed", lambda *packages: False)
    with pytest.raises(BackendError, match="pip install ncnn pnnx"):
        NcnnManager.to_backend([onnx_file], str(tmp_path), float32[0].deploy_cfg)
    with pytest.raises(BackendError, match="pip install ncnn"):
        NcnnWrapper(*float32[1])
