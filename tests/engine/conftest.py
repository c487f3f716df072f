"""Runs of mmengine on one weight and eight numbers, with the metric as the test wants it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
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
