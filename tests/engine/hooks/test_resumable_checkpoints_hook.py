from __future__ import annotations

import resource
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from crashing import Crash
from mmengine.registry import HOOKS

from lwam_mm.compat import CheckpointNotWrittenError
from lwam_mm.engine.hooks import resumable_checkpoints_hook
from lwam_mm.engine.launch import train
from lwam_mm.utils.atomic_files import write_atomically

HOOK = dict(type="ResumableCheckpointsHook", interval=1)


def files(runner) -> set[str]:
    return {path.name for path in Path(runner.work_dir).iterdir() if path.is_file()}


@contextmanager
def files_no_larger_than(size: int):
    """What a full disk does, without one: longer writes fail halfway."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (dict(), [1, 2, 3, 4, 5, 6, 7]),
        (dict(max_keep_ckpts=1), [6, 7]),  # two at least
        (dict(max_keep_ckpts=3), [5, 6, 7]),
        (dict(max_keep_ckpts=2, keep_every=3), [3, 6, 7]),
        (dict(max_keep_ckpts=2, interval=2), [6, 7]),
    ],
)
def test_the_newest_are_kept(tiny_runner, options, kept):
    tiny_runner([1, 2, 3], epochs=3, checkpoint=HOOK | options).train()
    runner = tiny_runner([4, 5, 6, 7], epochs=7, checkpoint=HOOK | options, resume=True)
    runner.train()
    names = [f"epoch_{number}.pth" for number in kept]
    assert {name for name in files(runner) if name.startswith("epoch")} == set(names)
    assert Path(runner.work_dir, "last_checkpoint").read_text() == f"{runner.work_dir}/{names[-1]}"


def test_what_was_to_go_when_the_run_was_killed_goes_later(tiny_runner, monkeypatch):
    options, calls = HOOK | dict(max_keep_ckpts=2), []

    def write_and_die(path, data, durable) -> None:
        assert durable  # a power cut must find the name of a checkpoint as well
        write_atomically(path, data, durable)
        calls.append(data)
        if len(calls) == 5:  # twice an epoch
            raise Crash

    monkeypatch.setattr(resumable_checkpoints_hook, "write_atomically", write_and_die)
    runner = tiny_runner([1, 2, 3], epochs=3, checkpoint=options)
    with pytest.raises(Crash):
        runner.train()
    assert {"epoch_1.pth", "epoch_3.pth"} < files(runner)
    monkeypatch.undo()
    tiny_runner([4], epochs=4, checkpoint=options, resume=True).train()
    left = {name for name in files(runner) if name.startswith("epoch")}
    assert left == {"epoch_3.pth", "epoch_4.pth"}


def test_checkpoint_knows_the_scores_of_its_own_step(tiny_runner):
    best = dict(type="BestCheckpointsHook", save_best="mIoU", rule="greater", interval=2)
    runner = tiny_runner([5, 7, 6], epochs=3, checkpoint=best)
    runner.train()
    known = {
        path.stem: torch.load(path, weights_only=True)["message_hub"]["runtime_info"]
        for path in Path(runner.work_dir).glob("epoch_*.pth")
    }
    # A new best where no checkpoint is due leaves none: they would pile up.
    assert known.keys() == {"epoch_2", "epoch_3"}
    assert [known[name]["best_score"] for name in sorted(known)] == [7, 7]
    assert [known[name]["validated_iter"] for name in sorted(known)] == [4, 6]


def test_half_written_files_of_a_killed_run_are_removed(tiny_runner, tmp_path):
    left = tmp_path / "work" / ".epoch_3.pth.0123abcd.tmp"
    others = [left.with_name(name) for name in (".hidden", "notes.tmp", ".a.tmp")]
    left.parent.mkdir()
    for path in (left, *others):
        path.write_bytes(b"half")
    tiny_runner([1], checkpoint=HOOK).train()
    assert not left.exists()
    assert all(path.exists() for path in others)


def test_full_disk_costs_no_earlier_checkpoint(tiny_runner):
    runner = tiny_runner([1], checkpoint=HOOK)
    runner.train()
    path = Path(runner.work_dir, "epoch_1.pth")
    before = path.read_bytes()
    resumed = tiny_runner([2], epochs=2, checkpoint=HOOK, resume=True)
    with (
        files_no_larger_than(len(before) // 2),
        pytest.raises(CheckpointNotWrittenError) as error,
    ):
        resumed.train()
    message = str(error.value)
    assert message.startswith(f"{runner.work_dir}/epoch_2.pth: this checkpoint could not be")
    assert "(File too large)" in message
    assert "free space" in message
    assert path.read_bytes() == before
    assert Path(runner.work_dir, "last_checkpoint").read_text() == str(path)
    assert not [name for name in files(runner) if name.endswith(".tmp") or "epoch_2" in name]
    tiny_runner([2], epochs=2, checkpoint=HOOK, resume=True).train()
    assert "epoch_2.pth" in files(runner)


def test_new_one_is_written_before_the_old_goes(tiny_runner, monkeypatch):
    runner = tiny_runner([1, 2, 3], epochs=3, checkpoint=HOOK | dict(max_keep_ckpts=2))
    there, save = [], runner.save_checkpoint

    def spy(*args, **kwargs):
        save(*args, **kwargs)
        there.append(sum(name.startswith("epoch") for name in files(runner)))

    monkeypatch.setattr(runner, "save_checkpoint", spy)
    runner.train()
    assert there == [1, 1, 2, 2, 3, 2]  # each in front of its validation and behind it


def test_every_hooks_state_loads_with_weights_only(small_config):
    config = small_config("epoch", "work", **{"train_cfg.max_epochs": 1})
    checkpoint = torch.load(train(config).with_name("epoch_1.pth"), weights_only=True)
    assert checkpoint["early_stopping"]["mIoU"]["wait_count"] == 0
    assert checkpoint["ema_state_dict"]
    assert checkpoint["message_hub"]["runtime_info"]["best_ckpt"].endswith("epoch_1.pth")
    assert checkpoint["optimizer"]["state"]
    assert checkpoint["param_schedulers"]


def test_a_checkpoint_on_demand_is_written_unless_there_is_one(tiny_runner):
    runner = tiny_runner([1], checkpoint=HOOK | dict(max_keep_ckpts=2))
    runner.train()
    (hook,) = (hook for hook in runner.hooks if hasattr(hook, "save_now"))
    assert hook.save_now(runner, 2).name == "epoch_1.pth"
    assert "iter_2.pth" not in files(runner)
    path = hook.save_now(runner, 3)
    assert path == Path(runner.work_dir, "iter_3.pth")
    assert torch.load(path, weights_only=True)["meta"]["iter"] == 3
    assert Path(runner.work_dir, "last_checkpoint").read_text() == str(path)
    before = path.read_bytes()
    path.write_bytes(b"kept")
    assert hook.save_now(runner, 3) == path
    assert path.read_bytes() == b"kept" != before


@pytest.mark.parametrize("keep_every", [0, 3, -2])
def test_keeping_none_is_an_error_when_built(keep_every):
    with pytest.raises(ValueError, match=f"keep_every={keep_every}: .*interval=2"):
        HOOKS.build(HOOK | dict(keep_every=keep_every, interval=2))
