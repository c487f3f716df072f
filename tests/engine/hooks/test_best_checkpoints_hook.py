from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from lwam_mm.engine.hooks import best_checkpoints_hook
from lwam_mm.engine.hooks.best_checkpoints_hook import BestCheckpointsHook


def hook(keep: int = 1, **options) -> dict:
    return dict(
        type="BestCheckpointsHook",
        max_keep_best=keep,
        save_best="mIoU",
        rule="greater",
        interval=1,
        **options,
    )


def bests(runner: Runner) -> list[int]:
    """Epochs whose checkpoints are there as best ones."""
    return sorted(int(p.stem.split("_")[-1]) for p in Path(runner.work_dir).glob("best_*.pth"))


@pytest.mark.parametrize(
    ("keep", "kept"), [(1, [5]), (2, [4, 5]), (3, [2, 4, 5]), (9, [1, 2, 4, 5])]
)
def test_newest_bests_are_kept(tiny_runner, keep, kept):
    runner = tiny_runner([10, 20, 5, 30, 40, 35], epochs=6, checkpoint=hook(keep))
    runner.train()
    assert bests(runner) == kept
    best = Path(runner.message_hub.get_info("best_ckpt"))
    assert best.name == "best_mIoU_epoch_5.pth"
    assert torch.load(best, weights_only=True)["meta"]["epoch"] == 5
    (built,) = (h for h in runner.hooks if isinstance(h, BestCheckpointsHook))
    assert built.best_ckpt_path == str(best)  # what mmengine publishes at the end


def test_new_best_is_written_before_the_old_goes(tiny_runner, monkeypatch):
    runner = tiny_runner([10, 20], epochs=2, checkpoint=hook())
    there_when_written = []
    save = Runner.save_checkpoint

    def spy(self, out_dir, filename, *args, **kwargs):
        if filename.startswith("best"):
            there_when_written.append(bests(runner))
        save(self, out_dir, filename, *args, **kwargs)

    monkeypatch.setattr(Runner, "save_checkpoint", spy)
    runner.train()
    assert there_when_written == [[], [1]]
    assert bests(runner) == [2]


def test_crash_while_writing_leaves_the_old_best(tiny_runner, monkeypatch):
    runner = tiny_runner([10, 20], epochs=2, checkpoint=hook())
    save = Runner.save_checkpoint

    def crash(self, out_dir, filename, *args, **kwargs):
        if filename == "best_mIoU_epoch_2.pth":
            raise OSError("disk is full")
        save(self, out_dir, filename, *args, **kwargs)

    monkeypatch.setattr(Runner, "save_checkpoint", crash)
    with pytest.raises(OSError, match="disk is full"):
        runner.train()
    assert bests(runner) == [1]
    torch.load(Path(runner.work_dir) / "best_mIoU_epoch_1.pth", weights_only=True)


def test_resumed_run_keeps_counting(tiny_runner):
    """The last epoch before the stop was a best one as well, and the first after it."""
    tiny_runner([10, 20, 30], epochs=3, checkpoint=hook(2)).train()
    resumed = tiny_runner([40, 5, 50], epochs=6, checkpoint=hook(2), resume=True)
    resumed.train()
    assert bests(resumed) == [4, 6]


def test_resumed_run_without_a_new_best_keeps_the_old(tiny_runner):
    tiny_runner([10, 20], epochs=2, checkpoint=hook(2)).train()
    resumed = tiny_runner([5], epochs=3, checkpoint=hook(2), resume=True)
    resumed.train()
    assert bests(resumed) == [1, 2]
    assert resumed.message_hub.get_info("best_ckpt").endswith("best_mIoU_epoch_2.pth")


def test_run_of_the_stock_hook_can_be_resumed(tiny_runner):
    stock = hook() | dict(type="CheckpointHook")
    del stock["max_keep_best"]
    tiny_runner([10, 20], epochs=2, checkpoint=stock).train()
    resumed = tiny_runner([30, 40], epochs=4, checkpoint=hook(2), resume=True)
    resumed.train()
    assert bests(resumed) == [3, 4]


def test_best_that_is_gone_is_no_error(tiny_runner):
    runner = tiny_runner([10, 20], epochs=2, checkpoint=hook())
    runner.train()
    (Path(runner.work_dir) / "best_mIoU_epoch_2.pth").unlink()
    resumed = tiny_runner([30], epochs=3, checkpoint=hook(), resume=True)
    resumed.train()
    assert bests(resumed) == [3]


def test_regular_checkpoints_are_upstreams(tiny_runner):
    runner = tiny_runner([10, 20, 5, 4], epochs=4, checkpoint=hook(1, max_keep_ckpts=2))
    runner.train()
    assert {p.name for p in Path(runner.work_dir).glob("epoch_*.pth")} == {
        "epoch_3.pth",
        "epoch_4.pth",
    }


def test_only_the_main_process_removes(tiny_runner, monkeypatch):
    monkeypatch.setattr(best_checkpoints_hook, "is_main_process", lambda: False)
    runner = tiny_runner([10, 20], epochs=2, checkpoint=hook())
    runner.train()
    assert bests(runner) == [1, 2]


@pytest.mark.parametrize("keep", [0, -1])
def test_keeping_none_is_an_error_when_built(keep):
    with pytest.raises(ValueError, match=f"max_keep_best={keep}: keep at least 1"):
        HOOKS.build(hook(keep))


@pytest.mark.parametrize("save_best", [None, "auto", ["mIoU", "mDice"]])
def test_anything_but_one_metric_is_an_error_when_built(save_best):
    with pytest.raises(ValueError, match=r"save_best=.*name one metric"):
        HOOKS.build(hook() | dict(save_best=save_best, rule=None))


def test_one_is_kept_by_default():
    assert HOOKS.build({k: v for k, v in hook().items() if k != "max_keep_best"}).max_keep_best == 1
