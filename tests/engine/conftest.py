"""Runs of mmengine on one weight and eight numbers, with the metric as the test wants it.

And real configs made tiny, that crash where the test wants it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner

RUN_NUMBERS = itertools.count()


class Scale(BaseModel):
    """Trains one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs, data_samples=None, mode="tensor"):
        scaled = self.weight * torch.stack(list(inputs)).mean()
        return dict(loss=scaled**2) if mode == "loss" else [scaled]


class GivenScores(BaseMetric):
    """Gives the next of some scores at each validation."""

    default_prefix = ""

    def __init__(self, scores: Iterable[float]) -> None:
        super().__init__()
        self.scores = iter(scores)

    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results) -> dict:
        return dict(mIoU=next(self.scores))


@pytest.fixture
def tiny_runner(tmp_path) -> Callable[..., Runner]:
    """Function that builds a runner which validates after each of its epochs."""

    def make(
        scores: Iterable[float] = (),
        *,
        epochs: int = 1,
        kind: type[Runner] = Runner,
        checkpoint: dict | None = None,
        work_dir: Path | None = None,
        model: BaseModel | None = None,
        log_level: str = "ERROR",
        **options,
    ) -> Runner:
        def loader() -> torch.utils.data.DataLoader:
            return torch.utils.data.DataLoader(
                torch.rand(4), batch_size=2, collate_fn=lambda batch: dict(inputs=batch)
            )

        return kind(
            model=model or Scale(),
            work_dir=str(work_dir or tmp_path / "work"),
            train_dataloader=loader(),
            val_dataloader=loader(),
            train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
            val_cfg=dict(),
            val_evaluator=Evaluator([GivenScores(scores)]),
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.01)),
            default_hooks=dict(checkpoint=checkpoint or dict(type="CheckpointHook", interval=1)),
            # mmengine keeps the scope of the last runner for the process, and so for later tests.
            default_scope="mmseg",
            experiment_name=f"tiny_{next(RUN_NUMBERS)}",
            log_level=log_level,
            **options,
        )

    return make


SMALL = 32
"""Side of the small training's images in pixels."""


@pytest.fixture(scope="session")
def small_data(draw_blocks, tmp_path_factory) -> Path:
    """Seven images to learn from, two to judge by."""
    return draw_blocks(tmp_path_factory.mktemp("small"), train=7, val=2, test=2)


@pytest.fixture
def small_config(repository, small_data, tmp_path) -> Callable[..., Config]:
    """Function that makes a real config tiny: twelve iterations in three passes of four.

    ``kind`` is ``epoch`` or ``iter``, for the released schedule and the demo's; there is a
    checkpoint each epoch (each second iteration), a validation each (each fourth), dropout, a mean
    of the weights, and whatever ``custom_hooks`` are added.
    """

    def make(kind: str, work_dir: str, custom_hooks: Iterable[dict] = (), **options) -> Config:
        schedule, data = dict(
            epoch=("schedule_2000e", "powder_bed"), iter=("schedule_400i", "powder_bed_synthetic")
        )[kind]
        model = options.pop("model", "lwrnet")
        parts = (f"models/{model}", f"datasets/{data}", f"schedules/{schedule}", "default_runtime")
        path = tmp_path / f"{kind}_{model}.py"
        base = repository / "configs" / "_base_"
        path.write_text(f"_base_ = {[str(base / f'{part}.py') for part in parts]}\n")
        config = Config.fromfile(path)
        for side in ("train", "val", "test"):
            loader = config[f"{side}_dataloader"]
            loader.num_workers = 0
            # (serialising collects garbage, which takes long in a process with so many imports)
            loader.dataset.update(data_root=str(small_data), serialize_data=False)
            for transform in loader.dataset.pipeline:
                if transform.type == "Resize":
                    transform.scale = (SMALL, SMALL)
        config.train_dataloader.batch_size = 2
        student = config.model.get("architecture", config.model)
        for net, width in ((student, 4), (config.model.get("teacher"), 2)):
            if net is not None:
                net.backbone.base_channels = net.decode_head.base_channels = width
                net.decode_head.dropout_ratio = 0.3
        if kind == "epoch":
            config.train_cfg.max_epochs = 3
            config.default_hooks.early_stopping.patience = 2
            config.param_scheduler[0].update(T_max=3, end=3)
        else:
            config.train_cfg.update(max_iters=12, val_interval=4)
            config.default_hooks.checkpoint.interval = 2
            config.param_scheduler[0].end = config.param_scheduler[1].begin = 3
            config.param_scheduler[1].update(T_max=9, end=12)
        # Drawing curves takes longer than the training.
        kept = [hook for hook in config.custom_hooks if hook.type != "CurvesHook"]
        config.custom_hooks = [*kept, dict(type="EMAHook", momentum=0.1), *custom_hooks]
        config.work_dir = str(tmp_path / work_dir)
        # Runs within a second would share the folder that mmengine names after the time.
        config.visualizer.save_dir = f"{config.work_dir}/visuals_{next(RUN_NUMBERS)}"
        config.experiment_name = f"small_{next(RUN_NUMBERS)}"
        config.log_level = "WARNING"
        config.merge_from_dict(options)
        return config

    return make
