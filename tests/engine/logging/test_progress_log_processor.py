from __future__ import annotations

import itertools
import json
import re
import time

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.registry import LOG_PROCESSORS
from mmengine.runner import Runner

from lwam_mm.engine.logging import progress_log_processor
from lwam_mm.engine.logging.progress_log_processor import ProgressLogProcessor
from lwam_mm.engine.runners.concise_runner import ConciseRunner

RUN_NUMBERS = itertools.count()
DISTILLATION = ("student.decode.loss_ce", "distill.loss_dist")
BATCH, BATCHES, VALIDATION_BATCHES = 2, 4, 3


class GivenLosses(BaseModel):
    """Computes losses of the given names and values."""

    def __init__(self, losses: dict[str, float]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.losses = losses

    def forward(self, inputs, data_samples=None, mode="tensor"):
        if mode != "loss":
            return [self.weight]
        one = self.weight / self.weight.detach()
        return {name: value * one for name, value in self.losses.items()} | {"decode.acc_seg": one}


class GivenScores(BaseMetric):
    default_prefix = ""

    def __init__(self, scores) -> None:
        super().__init__()
        self.scores = iter(scores)

    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results) -> dict:
        return dict(mIoU=next(self.scores), aAcc=99.0)


class Clock:
    """A clock that a test sets; each training iteration takes a second, a validation ten."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Advance(torch.utils.data.Dataset):
    """Images that take their time."""

    def __init__(self, clock, images, seconds) -> None:
        self.clock, self.images, self.seconds = clock, images, seconds

    def __len__(self) -> int:
        return self.images

    def __getitem__(self, index):
        self.clock.now += self.seconds / self.images
        return torch.rand(1)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Function training (or testing) and giving the lines of progress on the console."""
    clock = Clock()
    monkeypatch.setattr(progress_log_processor, "time", clock)
    # mmengine sleeps for two seconds at each end of the data.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def make(
        scores=(18.5, 42.0, 7.25),
        *,
        losses=DISTILLATION,
        by_epoch=True,
        length=3,
        kind=ConciseRunner,
        what="train",
        **options,
    ) -> list[str]:
        def loader(batches, seconds):
            images = Advance(clock, BATCH * batches, seconds)
            collate = lambda batch: dict(inputs=batch)  # noqa: E731
            return torch.utils.data.DataLoader(images, BATCH, collate_fn=collate)

        if by_epoch:
            train_cfg = dict(by_epoch=True, max_epochs=length, val_interval=1)
        else:
            train_cfg = dict(by_epoch=False, max_iters=length * BATCHES, val_interval=BATCHES)
        number = next(RUN_NUMBERS)
        side = dict(
            val_dataloader=loader(VALIDATION_BATCHES, 10),
            val_cfg=dict(),
            val_evaluator=Evaluator([GivenScores(scores)]),
        )
        side |= {key.replace("val", "test", 1): value for key, value in side.items()}
        runner = kind(
            model=GivenLosses(dict(zip(losses, itertools.count(1.0), strict=False))),
            work_dir=str(tmp_path / "work"),
            train_dataloader=loader(BATCHES, BATCHES),
            train_cfg=train_cfg,
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=1e-9)),
            default_hooks=dict(
                logger=dict(type="LoggerHook", interval=2, log_metric_by_epoch=by_epoch),
                checkpoint=dict(
                    type="CheckpointHook", interval=1 if by_epoch else BATCHES, by_epoch=by_epoch
                ),
            ),
            log_processor=dict(type="ProgressLogProcessor", by_epoch=by_epoch),
            default_scope="mmseg",
            experiment_name=f"progress_{number}",
            **side,
            **options,
        )
        capsys.readouterr()
        getattr(runner, what)()
        shown = capsys.readouterr()
        make.runner = runner
        return [
            line
            for line in (shown.out + shown.err).splitlines()
            if line.startswith(("epoch ", "iteration ", "validation", "test"))
        ]

    return make


def without_speed(line: str) -> str:
    return re.sub(r" *[\d.]+ img/s", "", line)


def test_epochs_of_a_distillation(run):
    lines = [without_speed(line) for line in run()]
    losses = "loss 3.0000  ce 1.0000  dist 2.0000"
    assert [line for line in lines if not re.match(r"validation \d", line)] == [
        # The clock stands still for mmengine, which reckons the first time left.
        f"epoch 1/3  2/4  {losses}  mIoU     -  best     -   0:00:00 left",
        f"epoch 1/3  4/4  {losses}  mIoU     -  best     -   0:00:08 left",
        "validation after epoch 1/3  mIoU 18.50  best 18.50",
        # Two lines later 2 + 2 + 10 seconds have gone by for 2 + 2 iterations.
        f"epoch 2/3  2/4  {losses}  mIoU 18.50  best 18.50   0:00:21 left",
        f"epoch 2/3  4/4  {losses}  mIoU 18.50  best 18.50   0:00:11 left",
        "validation after epoch 2/3  mIoU 42.00  best 42.00",
        f"epoch 3/3  2/4  {losses}  mIoU 42.00  best 42.00   0:00:07 left",
        f"epoch 3/3  4/4  {losses}  mIoU 42.00  best 42.00   0:00:00 left",
        "validation after epoch 3/3  mIoU  7.25  best 42.00",
    ]
    assert re.fullmatch(r"validation 2/3 +[\d.]+ img/s +0:00:00 left", run()[2])


def test_iterations(run):
    lines = run(by_epoch=False, losses=("decode.loss_ce",))
    lines = [without_speed(line) for line in lines if line.startswith(("iteration", "validation "))]
    assert lines[0].startswith("iteration  2/12  ce 1.0000  mIoU     -")  # the sum says no more
    assert "validation after iteration  8/12  mIoU 42.00  best 42.00" in lines
    assert lines[-3].startswith("iteration 12/12  ce 1.0000  mIoU 42.00  best 42.00")
    trained = [line for line in lines if line.startswith("iteration")]
    assert len(trained) == 6
    assert {len(line) for line in trained} == {len(trained[0])}
    assert len(trained[0]) < 100


def test_speed_is_images_a_second(run, monkeypatch):
    # All that the runner measures is a quarter of a second a batch.
    collect = ProgressLogProcessor._collect_scalars
    monkeypatch.setattr(
        ProgressLogProcessor,
        "_collect_scalars",
        lambda *args, **kwargs: {**collect(*args, **kwargs), "time": 0.25},
    )
    assert "     8.0 img/s  " in run(length=1)[0]  # 2 images a batch
    monkeypatch.setattr(progress_log_processor, "get_world_size", lambda: 3)
    assert "    24.0 img/s  " in run(length=1)[0]


def test_file_keeps_the_full_line_and_scalars_are_whole(run, tmp_path):
    shown = run(length=1)
    (log,) = (tmp_path / "work").glob("*/*.log")
    text = log.read_text()
    assert "INFO - Epoch(train) [1][2/4]  lr: 1.0000e-09" in text
    assert "Epoch(val) [1][3/3]    mIoU: 18.5000  aAcc: 99.0000" in text
    assert not any(line in text for line in shown)
    (scalars,) = (tmp_path / "work").glob("*/vis_data/scalars.json")
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    assert {"lr", "data_time", "distill.loss_dist", "decode.acc_seg"} <= rows[0].keys()
    assert rows[-1]["aAcc"] == 99.0


def test_stock_runner_shows_the_full_line(run, capsys):
    assert run(length=1, kind=Runner) == []


def test_best_is_known_after_a_resume(run, tmp_path):
    run((50.0, 1.0), length=2)
    # A checkpoint is written before the validation of its own epoch.
    checkpoint = str(tmp_path / "work" / "epoch_2.pth")
    lines = run((40.0,), length=3, load_from=checkpoint, resume=True)
    assert lines[0].startswith("epoch 3/3  2/4")
    assert "mIoU 50.00  best 50.00" in lines[0]
    assert lines[-1] == "validation after epoch 3/3  mIoU 40.00  best 50.00"


def test_test_and_validation_alone(run):
    assert run(what="test")[-1] == "test  mIoU 18.50"
    lines = run(what="val")
    assert lines[-1] == "validation  mIoU 18.50  best 18.50"


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["loss", "decode.loss_ce", "decode.loss_dice"], ["loss", "ce", "dice"]),
        (["decode.loss_ce", "aux_0.loss_ce"], ["decode.ce", "aux_0.ce"]),
        (["loss", "decode.loss"], ["loss", "decode.loss"]),
        (["loss_ce", "decode.loss_ce", "loss_dist"], ["loss_ce", "decode.ce", "dist"]),
    ],
)
def test_names_are_as_short_as_they_can_be(names, short):
    assert list(progress_log_processor._short_names(names).values()) == short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.41266, "0.4127"),
        (12.3456, "12.346"),
        (123456.7, "123457"),
        (1.5e9, " 2e+09"),
        (float("nan"), "   nan"),
        (float("inf"), "   inf"),
    ],
)
def test_losses_keep_their_width(value, text):
    assert progress_log_processor._six(value) == text


def test_time_left():
    assert progress_log_processor._left(59.4) == " 0:00:59 left"
    assert progress_log_processor._left(100 * 3600) == "100:00:00 left"


def test_every_training_config_has_it(repository):
    assert LOG_PROCESSORS.get("ProgressLogProcessor") is ProgressLogProcessor
    seen = 0
    for path in sorted(repository.glob("configs/*/*_1xb*.py")):
        config = Config.fromfile(path)
        by_epoch = "Epoch" in config.train_cfg.type
        assert config.log_processor == dict(type="ProgressLogProcessor", by_epoch=by_epoch), path
        # TensorBoard comes by tools/train.py --tensorboard.
        assert [b.type for b in config.visualizer.vis_backends] == ["LocalVisBackend"], path
        seen += 1
    assert seen >= 13
