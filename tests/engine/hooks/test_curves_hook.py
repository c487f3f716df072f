import itertools
import json
import logging
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import HOOKS
from mmengine.runner import Runner

import lwam_mm.plugin  # noqa: F401  repairs mmcv, which mmseg's scope imports
from lwam_mm.engine.hooks import curves_hook
from lwam_mm.engine.hooks.curves_hook import CurvesHook

RUN_NUMBERS = itertools.count()


class Line(BaseModel):
    """One weight, two loss terms."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs, data_samples=None, mode="tensor"):
        error = self.weight * torch.stack(list(inputs)).mean()
        return {"loss_ce": error**2, "loss_dist": error.abs()} if mode == "loss" else [error]


class CountingMetric(BaseMetric):
    default_prefix = ""

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return {"mIoU": 50.0, "IoU.Super": 30.0}


def collate(batch):
    return {"inputs": batch}


def make_loader():
    return torch.utils.data.DataLoader(torch.rand(8), batch_size=2, collate_fn=collate)


def make_runner(work_dir, train_cfg, hooks=(), by_epoch=True, backend="LocalVisBackend", **options):
    model = Line()
    name = f"curves_{next(RUN_NUMBERS)}"
    return Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=make_loader(),
        val_dataloader=make_loader(),
        train_cfg=train_cfg,
        val_cfg=dict(),
        val_evaluator=Evaluator([CountingMetric()]),
        optim_wrapper=dict(optimizer=torch.optim.SGD(model.parameters(), lr=0.01)),
        default_hooks=dict(
            logger=dict(type="LoggerHook", interval=1, log_metric_by_epoch=by_epoch),
            checkpoint=dict(type="CheckpointHook", interval=1, by_epoch=by_epoch),
        ),
        log_processor=dict(by_epoch=by_epoch),
        custom_hooks=[dict(type="CurvesHook"), *hooks],
        # Runs within a second would share the folder that mmengine names after the time.
        visualizer=dict(
            type="Visualizer",
            name=name,
            vis_backends=[dict(type=backend)],
            save_dir=str(work_dir / name),
        ),
        # mmengine keeps the scope of the last runner for the process, and so for later tests.
        default_scope="mmseg",
        experiment_name=name,
        **options,
    )


@pytest.fixture
def drawn(monkeypatch):
    """The curves that were drawn, the last one at the end."""
    calls = []
    draw = curves_hook.draw_curves
    monkeypatch.setattr(
        curves_hook,
        "draw_curves",
        lambda curves, path, title: (calls.append(curves), draw(curves, path, title)),
    )
    return calls


def epochs(count):
    return dict(by_epoch=True, max_epochs=count, val_interval=1)


def test_draws_at_the_end_of_a_training(tmp_path, drawn):
    make_runner(tmp_path, epochs(2)).train()

    assert (tmp_path / "curves.png").is_file()
    assert len(drawn) == 1
    assert set(drawn[0].losses) == {"loss", "loss_ce", "loss_dist"}
    assert [at for at, _ in drawn[0].losses["loss"]] == list(range(1, 9))
    assert drawn[0].metrics == {"mIoU": [(4, 50.0), (8, 50.0)]}
    assert drawn[0].class_iou == {"Super": [(4, 30.0), (8, 30.0)]}
    assert [value for _, value in drawn[0].learning_rates["lr"]] == [0.01] * 8


@pytest.mark.parametrize("by_epoch", [False, True])
def test_validations_of_an_iteration_based_run_lie_at_their_iterations(tmp_path, drawn, by_epoch):
    train_cfg = dict(by_epoch=False, max_iters=4, val_interval=2)
    runner = make_runner(tmp_path, train_cfg, by_epoch=by_epoch)
    runner.train()
    assert drawn[-1].metrics == {"mIoU": [(2, 50.0), (4, 50.0)]}


def test_draws_when_training_stops_early(tmp_path, drawn):
    stop = dict(type="EarlyStoppingHook", monitor="mIoU", rule="greater", patience=1)
    make_runner(tmp_path, epochs(5), hooks=[stop]).train()
    assert [at for at, _ in drawn[-1].metrics["mIoU"]] == [4, 8]


class Crash(Hook):
    def before_train_epoch(self, runner):
        if runner.epoch == 2:
            raise RuntimeError("power cut")


def test_a_training_that_dies_leaves_the_curves_so_far(tmp_path, drawn):
    runner = make_runner(tmp_path, epochs(3), hooks=[Crash()])
    next(hook for hook in runner.hooks if isinstance(hook, CurvesHook)).refresh_seconds = 0
    with pytest.raises(RuntimeError, match="power cut"):
        runner.train()

    assert (tmp_path / "curves.png").is_file()
    assert [at for at, _ in drawn[-1].metrics["mIoU"]] == [4, 8]


def test_a_resumed_run_draws_from_the_first_start(tmp_path, drawn):
    """Three runs: the second goes on from an older checkpoint than the first one's last."""
    first = make_runner(tmp_path, epochs(3))
    first.train()
    second = make_runner(tmp_path, epochs(4), load_from=str(tmp_path / "epoch_2.pth"), resume=True)
    second.train()
    third = make_runner(tmp_path, epochs(5), resume=True)
    third.train()

    assert [at for at, _ in drawn[-1].losses["loss"]] == list(range(1, 21))
    assert [at for at, _ in drawn[-1].metrics["mIoU"]] == [4, 8, 12, 16, 20]
    assert drawn[-1].problems == []
    saved = torch.load(tmp_path / "epoch_5.pth", weights_only=True)["meta"]["scalar_files"]
    assert [item["until"] for item in saved] == [8, 16, None]
    assert all(not Path(item["path"]).is_absolute() for item in saved)
    json.dumps(saved)


def test_a_run_resumed_in_another_work_dir_finds_the_earlier_files(tmp_path, drawn):
    make_runner(tmp_path / "old", epochs(1)).train()
    moved = (tmp_path / "old").rename(tmp_path / "moved")
    checkpoint = str(moved / "epoch_1.pth")
    resumed = make_runner(tmp_path / "new", epochs(2), load_from=checkpoint, resume=True)
    resumed.train()
    assert [at for at, _ in drawn[-1].losses["loss"]] == list(range(1, 9))
    assert drawn[-1].problems == []


def test_an_earlier_file_that_is_gone_is_named(tmp_path, drawn):
    make_runner(tmp_path, epochs(1)).train()
    (path,) = tmp_path.glob("**/scalars.json")
    path.unlink()
    make_runner(tmp_path, epochs(2), resume=True).train()
    assert [at for at, _ in drawn[-1].losses["loss"]] == [5, 6, 7, 8]
    assert [f"{path} is missing" in problem for problem in drawn[-1].problems] == [True]


def test_a_fresh_run_in_a_used_work_dir_starts_anew(tmp_path, drawn):
    make_runner(tmp_path, epochs(2)).train()
    again = make_runner(tmp_path, epochs(1), load_from=str(tmp_path / "epoch_2.pth"))
    again.train()
    assert [at for at, _ in drawn[-1].losses["loss"]] == [1, 2, 3, 4]


def test_failing_to_draw_is_a_warning_that_names_the_cause(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk is full")

    monkeypatch.setattr(curves_hook, "draw_curves", fail)
    runner = make_runner(tmp_path, epochs(1))
    messages = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    runner.logger.addHandler(handler)

    runner.train()

    assert [m for m in messages if "curves.png was not drawn: OSError: disk is full" in m]


def test_validation_alone_draws_nothing(tmp_path, drawn):
    runner = make_runner(tmp_path, epochs(1))
    next(hook for hook in runner.hooks if isinstance(hook, CurvesHook)).refresh_seconds = 0
    runner.val()
    assert drawn == []


def test_only_the_main_process_draws(tmp_path, drawn, monkeypatch):
    monkeypatch.setattr(curves_hook, "is_main_process", lambda: False)
    make_runner(tmp_path, epochs(1)).train()
    assert drawn == []


def test_visualizer_that_keeps_no_scalars_is_an_error_before_training(tmp_path):
    runner = make_runner(tmp_path, epochs(1), backend="TensorboardVisBackend")
    with pytest.raises(ValueError, match="add dict\\(type='LocalVisBackend'\\)"):
        runner.train()


@pytest.mark.parametrize("value", [-1, "often", None, float("nan")])
def test_wrong_refresh_time_is_an_error_when_built(value):
    with pytest.raises(ValueError, match="refresh_seconds"):
        HOOKS.build(dict(type="CurvesHook", refresh_seconds=value))


@pytest.mark.parametrize("value", [0, 0.5, float("inf")])
def test_refresh_times(value):
    assert HOOKS.build(dict(type="CurvesHook", refresh_seconds=value)).refresh_seconds == value
