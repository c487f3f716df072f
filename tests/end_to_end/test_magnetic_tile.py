"""The road in miniature on real images: magnetic tiles."""

from __future__ import annotations

import json
import os

import cv2
import pytest

pytestmark = pytest.mark.end_to_end

_SHORT = [
    "--cfg-options",
    "train_cfg.max_epochs=1",
    "train_cfg.val_interval=1",
    "train_dataloader.dataset.indices=16",
    "val_dataloader.dataset.indices=8",
    "test_dataloader.dataset.indices=8",
]
_STUDENT = ["model.backbone.base_channels=8", "model.decode_head.base_channels=8"]
_TEACHER = ["model.backbone.base_channels=4", "model.decode_head.base_channels=4"]
_DISTILLED = [
    "model.architecture.backbone.base_channels=8",
    "model.architecture.decode_head.base_channels=8",
    "model.teacher.backbone.base_channels=4",
    "model.teacher.decode_head.base_channels=4",
]


def test_road_on_magnetic_tiles(shared_data, repository, run_tool, tmp_path, monkeypatch):
    if not (shared_data / "magnetic_tile").is_dir():
        pytest.skip(f"no magnetic tiles: {shared_data} holds no folder magnetic_tile")
    monkeypatch.setitem(os.environ, "LWAM_DATA_ROOT", str(shared_data))
    configs = repository / "configs"
    (teacher,) = (configs / "unetpp").glob("*-8e_magnetic-tile*.py")
    (student,) = (configs / "lwrnet").glob("lwrnet-w*-8e_magnetic-tile*.py")
    (distilled,) = (configs / "distill").glob("kd-*_lwrnet-w*-8e_magnetic-tile*.py")

    run_tool("train.py", teacher, "--work-dir", "teacher", *_SHORT, *_TEACHER, cwd=tmp_path)
    (checkpoint,) = (tmp_path / "teacher").glob("best_mIoU_epoch_*.pth")
    run_tool(
        "train.py",
        distilled,
        "--work-dir",
        "distilled",
        *_SHORT,
        *_DISTILLED,
        f"model.teacher_ckpt={checkpoint}",
        cwd=tmp_path,
    )
    (checkpoint,) = (tmp_path / "distilled").glob("best_mIoU_epoch_*.pth")
    run_tool("extract_student.py", checkpoint, "student.pth", cwd=tmp_path)
    options = [option for option in _SHORT if not option.startswith("train_")]
    run_tool(
        "test.py",
        student,
        "student.pth",
        "--fold",
        "--out",
        "metrics.json",
        *options,
        *_STUDENT,
        cwd=tmp_path,
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())["metrics"]
    assert {"IoU.Background", "Recall.Background", "mIoU"} <= metrics.keys()
    assert 0 <= metrics["mIoU"] <= 100

    leaf = tmp_path / "my_student.py"
    leaf.write_text(
        f"_base_ = [{str(student)!r}]\n"
        "model = dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8))\n"
    )
    run_tool("deploy.py", leaf, "student.pth", "--out", "bundle", cwd=tmp_path)
    layers = sorted((shared_data / "magnetic_tile" / "images" / "val").glob("*.jpg"))[:3]
    run_tool("predict.py", "bundle", *layers, "--out", "predictions", cwd=tmp_path)
    for layer in layers:
        image = cv2.imread(str(layer))
        mask = cv2.imread(
            str(tmp_path / "predictions" / "masks" / f"{layer.stem}.png"), cv2.IMREAD_UNCHANGED
        )
        assert mask.shape == image.shape[:2]
        assert mask.max() <= 5
