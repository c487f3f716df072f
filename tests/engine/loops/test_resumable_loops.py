from __future__ import annotations

import random
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from crashing import Crash
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from lwam_mm.datasets.powder_bed import PowderBedDataset
from lwam_mm.engine.launch import train
from lwam_mm.lab.kill_and_resume import differences
from lwam_mm.models.checkpoint import load_weights

CRASH = dict(type="CrashHook", stage="before_val", count=2)


def run_with_crashes(small_config, kind: str, *crashes: tuple[str, int], **options) -> Path:
    """Train, crash, resume, crash ... with other random numbers in the process each time."""
    for number, (stage, count) in enumerate([*crashes, ("", 0)]):
        hooks = [dict(type="CrashHook", stage=stage, count=count)] if stage else []
        config = small_config(kind, "crashed", hooks, **options)
        config.resume = True
        random.seed(number)
        np.random.seed(number)  # noqa: NPY002
        if not stage:
            train(config)
            return Path(config.work_dir)
        with pytest.raises(Crash):
            train(config)
    raise AssertionError("not reached")


@pytest.fixture
def undisturbed(small_config):
    def run(kind: str, **options) -> Path:
        config = small_config(kind, "undisturbed", **options)
        train(config)
        return Path(config.work_dir)

    return run


@pytest.mark.parametrize("kind", ["epoch", "iter"])
def test_goes_on_to_the_last_bit(small_config, undisturbed, kind):
    """From before the first checkpoint, in and behind a validation, between checkpoints, ..."""
    found = run_with_crashes(
        small_config,
        kind,
        ("after_train_iter", 1),
        ("before_val", 1),
        ("after_val_iter", 2),
        ("after_val", 1),
        ("after_train_iter", 3),
        ("before_val", 1),
        ("after_val", 2),
        ("after_train", 1),
    )
    assert list(differences(undisturbed(kind), found)) == []


@pytest.mark.parametrize("kind", ["epoch", "iter"])
def test_that_nothing_is_left_to_train_is_said(small_config, undisturbed, capfd, kind):
    checkpoint = (undisturbed(kind) / "last_checkpoint").read_text()
    assert "nothing to train" not in "".join(capfd.readouterr())
    config = small_config(kind, "new", load_from=checkpoint)
    config.resume = True
    train(config)
    said = "".join(capfd.readouterr())
    assert "12 of 12 iterations are done already: there is nothing to train. Remedy: " in said
    assert dict(epoch="train_cfg.max_epochs", iter="train_cfg.max_iters")[kind] in said


@pytest.mark.parametrize(("kind", "passes"), [("epoch", 3), ("iter", 4)])  # the last is not whole
@pytest.mark.parametrize(("first", "second"), [(-2, -1), (-1, 0), (0, 1)])
def test_stages_that_are_never_reached_are_named(small_config, capfd, kind, passes, first, second):
    config = small_config(kind, "staged")
    ends = [passes + first, passes + second]
    staged = dict(type="StagedTransforms", stages=[[], [], []], ends=ends)
    config.train_dataloader.dataset.pipeline.insert(2, staged)
    train(config)
    late = ", ".join(str(end) for end in ends if end >= passes)
    said = f"{passes} passes over the data set, so the stages of StagedTransforms that begin after"
    shown = "".join(capfd.readouterr())
    assert (f"{said} {late} are never reached" in shown) == bool(late)
    assert ("never reached" in shown) == bool(late)


def test_distillation_goes_on_to_the_last_bit(small_config, tmp_path, undisturbed, repository):
    from mmseg.registry import MODELS

    config = small_config("iter", "teacher", model="kd_unetpp_lwrnet")
    teacher = MODELS.build(config.model.teacher)
    teacher.init_weights()
    torch.save(dict(state_dict=teacher.state_dict()), tmp_path / "teacher.pth")
    options = {
        "model": "kd_unetpp_lwrnet",
        "model.teacher_ckpt": str(tmp_path / "teacher.pth"),
        "train_cfg.max_iters": 4,
        "optim_wrapper.type": "Bfloat16OptimWrapper",
    }
    expected = undisturbed("iter", **options)
    found = run_with_crashes(small_config, "iter", ("after_train_iter", 3), **options)
    assert list(differences(expected, found)) == []
    load_weights(MODELS.build(small_config("iter", "any", **options).model), found / "iter_4.pth")


def test_differences_are_noticed(small_config, tmp_path):
    """Without the seeds of each iteration, dropout would go on elsewhere."""
    config = small_config("iter", "one")
    train(config)
    other = tmp_path / "other"
    other.mkdir()
    for path in (tmp_path / "one").glob("*.pth"):
        checkpoint = torch.load(path, weights_only=True)
        if path.name.startswith("iter"):
            weight = next(iter(checkpoint["state_dict"].values()))
            weight[(0,) * weight.ndim] += 1e-6
            checkpoint["optimizer"]["param_groups"][0]["lr"] *= 1.5
        torch.save(checkpoint, other / path.name)
    (other / "last_checkpoint").write_text(str(other / "iter_12.pth"))
    found = list(differences(tmp_path / "one", other))
    assert len(found) == 2
    assert any("iter_12.pth: state_dict." in line for line in found)
    assert any("iter_12.pth: optimizer.param_groups.0.lr" in line for line in found)


def test_no_image_is_read_again(small_config, monkeypatch):
    with pytest.raises(Crash):
        train(small_config("iter", "crashed", [CRASH]))
    read = []
    prepare = PowderBedDataset.prepare_data
    monkeypatch.setattr(
        PowderBedDataset,
        "prepare_data",
        lambda self, idx: (self.test_mode or read.append(idx), prepare(self, idx))[1],
    )
    config = small_config("iter", "crashed")
    config.resume = True
    train(config)
    assert len(read) == 2 * 4  # iterations 9 to 12


@pytest.mark.parametrize("kind", ["epoch", "iter"])
def test_another_sampler_is_an_error_with_the_remedy(small_config, kind):
    for sampler in (
        dict(type="DefaultSampler"),
        dict(type="SeededSampler", infinite=kind == "epoch"),
    ):
        config = small_config(kind, "work")
        config.train_dataloader.sampler = sampler
        with pytest.raises(ValueError, match=rf"'SeededSampler', infinite={kind == 'iter'}\)"):
            train(config)


def joined(config):
    """Put the training set into two of mmengine's wrappers."""
    inner = config.train_dataloader.dataset
    return dict(type="ConcatDataset", datasets=[dict(type="RepeatDataset", dataset=inner, times=1)])


def test_a_data_set_that_does_not_follow_the_sampler_is_an_error_with_the_remedy(small_config):
    config = small_config("epoch", "work")
    config.train_dataloader.dataset = joined(config)
    with pytest.raises(ValueError, match=r"ConcatDataset.*type='SeededDataset'"):
        train(config)


def test_wrapped_data_sets_go_on_exactly_too(small_config, undisturbed):
    def wrapped(kind, name, hooks=()):
        config = small_config(kind, name, hooks)
        config.train_dataloader.dataset = dict(type="SeededDataset", dataset=joined(config))
        return config

    found = run_with_crashes(wrapped, "epoch", ("after_train_iter", 6))
    assert list(differences(undisturbed("epoch"), found)) == []


def test_seed_that_was_drawn_is_kept(small_config, undisturbed):
    """Without a seed in the config, the first start draws one, and the later ones another."""
    options = {"randomness.seed": None}
    found = run_with_crashes(small_config, "epoch", ("after_train_iter", 6), **options)
    seed = torch.load(found / "epoch_3.pth", weights_only=True)["meta"]["seed"]
    expected = undisturbed("epoch", **{"randomness.seed": seed})
    assert list(differences(expected, found)) == []


@HOOKS.register_module()
class StagesHook(Hook):
    """Notes the stages of a training, but for those of the validation."""

    seen: ClassVar[list[str]] = []

    def _note(self, runner, mode: str, stage: str) -> None:
        if mode == "train":
            self.seen.append(stage)

    def before_train(self, runner) -> None:
        self.seen[:] = ["before_train"]

    def after_train(self, runner) -> None:
        self.seen.append("after_train")

    def _before_epoch(self, runner, mode="train") -> None:
        self._note(runner, mode, "before_epoch")

    def _after_epoch(self, runner, mode="train") -> None:
        self._note(runner, mode, "after_epoch")

    def _before_iter(self, runner, batch_idx, data_batch=None, mode="train") -> None:
        self._note(runner, mode, "iter")


@pytest.mark.parametrize("kind", ["epoch", "iter"])
def test_hooks_are_called_as_upstream_calls_them(small_config, kind):
    end = {"train_cfg.max_epochs": 1} if kind == "epoch" else {"train_cfg.max_iters": 4}
    train(small_config(kind, "work", [dict(type="StagesHook")], **end))
    epoch = ["before_epoch", *["iter"] * 4, "after_epoch"]
    assert StagesHook.seen == ["before_train", *epoch, "after_train"]


@pytest.mark.parametrize("kind", ["epoch", "iter"])
def test_a_training_without_validation(small_config, kind):
    end = {"train_cfg.max_epochs": 1} if kind == "epoch" else {"train_cfg.max_iters": 4}
    config = small_config(kind, "work", **end)
    config.val_dataloader = config.val_cfg = config.val_evaluator = None
    config.default_hooks.pop("early_stopping", None)
    assert train(config).name == ("epoch_1.pth" if kind == "epoch" else "iter_4.pth")
