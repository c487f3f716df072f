from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from mmdeploy.apis import build_task_processor
from mmengine.config import Config

import lwam_mm.deploy  # noqa: F401
from lwam_mm.engine.launch import evaluate, load_config
from lwam_mm.models import RepConv

STATIC = "configs/deploy/segmentation_onnxruntime_static-256x256.py"
STOCK_ROAD = """
import sys
import numpy as np
from mmdeploy.apis import torch2onnx  # as mmdeploy's tools/deploy.py does; nothing of ours

deploy_config, config, checkpoint, folder = sys.argv[1:]
image = np.zeros((256, 256, 3), np.uint8)
torch2onnx(image, folder, "end2end.onnx", deploy_config, config, checkpoint, "cpu")
"""


def test_mmdeploys_own_tools_export_the_folded_student(
    repository, student_config, student_checkpoint, tmp_path
):
    arguments = [repository / STATIC, student_config, student_checkpoint, tmp_path]
    done = subprocess.run(
        [sys.executable, "-c", STOCK_ROAD, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    operators = [node.op_type for node in onnx.load(tmp_path / "end2end.onnx").graph.node]
    assert operators.count("Conv") == 11
    assert operators.count("ConvTranspose") == 4
    assert not {"BatchNormalization", "Resize", "Add"} & set(operators)


@pytest.fixture
def task(repository, student_config):
    deploy_config = Config.fromfile(repository / STATIC)
    deploy_config.onnx_config.input_shape = [64, 64]
    return build_task_processor(Config.fromfile(student_config), deploy_config, "cpu")


def test_model_is_folded_strictly_loaded_and_in_eval_mode(task, student_checkpoint):
    model = task.build_pytorch_model(str(student_checkpoint))
    blocks = [module for module in model.modules() if isinstance(module, RepConv)]
    assert len(blocks) == 10
    assert all(block.is_folded for block in blocks)
    assert not any(module.training for module in model.modules())
    with pytest.raises(ValueError, match="random weights"):
        task.build_pytorch_model(None)


def test_backend_model_scores_as_torch_does(task, student_config, student_checkpoint, tmp_path):
    """MMDeploy's test runner, on images that are resized: logits are resized back, not labels."""
    from mmdeploy.apis import torch2onnx

    torch2onnx(
        np.zeros((64, 64, 3), np.uint8),
        str(tmp_path),
        "end2end.onnx",
        task.deploy_cfg,
        task.model_cfg,
        str(student_checkpoint),
        "cpu",
    )
    model = task.build_backend_model([str(tmp_path / "end2end.onnx")])
    runner = task.build_test_runner(model, str(tmp_path / "exported"))
    exported = runner.test()
    config = load_config(student_config, work_dir=tmp_path / "torch")
    expected = evaluate(config, student_checkpoint)
    assert exported["mIoU"] == pytest.approx(expected["mIoU"], abs=0.01)
    assert len({round(value, 3) for value in expected.values()}) > 4  # a telling comparison


def test_padding_is_cut_off_before_the_argmax(task, tmp_path):
    from mmseg.structures import SegDataSample

    from lwam_mm.deploy.codebase import LogitsEnd2EndModel

    logits = torch.zeros(1, 2, 4, 6)
    logits[:, 0, :2, :3] = 1  # class 0 in the image, class 1 in the padding
    logits[:, 1, 2:] = 1
    logits[:, 1, :, 3:] = 1
    sample = SegDataSample(
        metainfo=dict(ori_shape=(2, 3), img_shape=(2, 3), img_padding_size=[0, 3, 0, 2])
    )
    (packed,) = LogitsEnd2EndModel.pack_result(None, logits, [sample])
    assert packed.pred_sem_seg.data.tolist() == [[[0, 0, 0], [0, 0, 0]]]
