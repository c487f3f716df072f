"""The tools' ``main`` functions, and a small student's config and checkpoint for them."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

SIZE = 32


@pytest.fixture(scope="session")
def tool_main(repository) -> Callable[[str], Callable]:
    """Function that returns the ``main`` of a script in tools/."""
    return lambda name: runpy.run_path(str(repository / "tools" / f"{name}.py"))["main"]


@pytest.fixture(scope="session")
def blocks(draw_blocks, tmp_path_factory) -> Path:
    """Two images for each split, of SIZE pixels."""
    return draw_blocks(tmp_path_factory.mktemp("blocks"), train=2, val=2, test=2)


@pytest.fixture
def write_config(repository, blocks, tmp_path) -> Callable[..., Path]:
    """Function that writes the config of a 4 channels wide student, with further lines."""

    def write(*lines: str, name: str = "student.py") -> Path:
        base = repository / "configs" / "_base_"
        parts = ("models/lwrnet", "datasets/powder_bed", "default_runtime")
        text = [
            f"_base_ = {[str(base / f'{part}.py') for part in parts]}",
            "model = dict(backbone=dict(base_channels=4), decode_head=dict(base_channels=4))",
            "optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))",
            "train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)",
            "val_cfg, test_cfg = dict(), dict()",
            "default_hooks = dict(visualization=dict(type='SegVisualizationHook'))",
            "log_level = 'WARNING'",
            f"work_dir = {str(tmp_path / 'work')!r}",
            f"_base_.test_pipeline[1].scale = ({SIZE}, {SIZE})",
        ]
        for side in ("train", "val", "test"):
            dataset = f"dict(data_root={str(blocks)!r}, serialize_data=False)"
            text += [
                f"{side}_dataloader = dict(num_workers=0, persistent_workers=False, "
                f"dataset={dataset})",
                f"_base_.{side}_dataloader.dataset.pipeline[{4 if side == 'train' else 1}].scale = "
                f"({SIZE}, {SIZE})",
            ]
        path = tmp_path / name
        path.write_text("\n".join([*text, *lines]) + "\n")
        return path

    return write


@pytest.fixture
def student_weights(write_config) -> dict:
    """Random weights of that student."""
    init_default_scope("mmseg")
    return MODELS.build(Config.fromfile(write_config(name="weights.py")).model).state_dict()
