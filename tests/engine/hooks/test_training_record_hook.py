from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lwam_mm.engine.launch import evaluate, train
from lwam_mm.engine.runners.resumable_runner import ResumableRunner
from lwam_mm.models.checkpoint import read_checkpoint, save_checkpoint
from lwam_mm.models.output_classes import OutputClassesError
from lwam_mm.models.training_record import META_KEY, TrainingMismatchError, TrainingRecord

ENDS_SOON = {"train_cfg.max_iters": 4, "default_hooks.checkpoint.interval": 1}


def other_mean(config):
    config.model.data_preprocessor.mean = [0.0, 0.0, 0.0]
    return config


def test_checkpoints_say_how_they_were_trained(small_config):
    config = small_config("iter", "work", **ENDS_SOON)
    best = train(config)
    record = read_checkpoint(best).record
    expected = TrainingRecord.of_config(config)
    assert record.classes == expected.classes
    assert record.palette == expected.palette
    assert record.preprocessing == expected.preprocessing
    assert torch.load(best, weights_only=True)["meta"][META_KEY]["scores"] == record.scores
    # Two validation images; the scores of these very weights.
    assert record.images == 2
    config.test_dataloader = config.val_dataloader
    scores = evaluate(config, best)
    assert record.miou == pytest.approx(scores["mIoU"], abs=1e-4)
    last = read_checkpoint(Path(config.work_dir) / "iter_4.pth").record
    assert last.scores == record.scores
    # The weights of a checkpoint before the validation have no score.
    assert read_checkpoint(Path(config.work_dir) / "iter_3.pth").record.scores == {}


def test_checkpoint_behind_a_validation_does_not_have_its_score(small_config):
    config = small_config(
        "iter", "work", **ENDS_SOON | {"train_cfg.max_iters": 5, "train_cfg.val_interval": 3}
    )
    train(config)
    assert read_checkpoint(Path(config.work_dir) / "iter_5.pth").record.miou is not None
    assert read_checkpoint(Path(config.work_dir) / "iter_4.pth").record.miou is None


@pytest.fixture
def other_training(small_config, tmp_path):
    """A checkpoint with the weights of the small student, trained with another mean."""
    config = other_mean(small_config("iter", "other"))
    record = TrainingRecord.of_config(config)
    weights = ResumableRunner.from_cfg(config).model.state_dict()
    path = tmp_path / "other.pth"
    save_checkpoint(weights, path, {META_KEY: record.as_plain()})
    return path


def test_new_training_from_other_weights_gets_a_warning(small_config, other_training):
    config = small_config("iter", "work", load_from=str(other_training), **ENDS_SOON)
    train(config)
    logs = "".join(path.read_text() for path in Path(config.work_dir).rglob("*.log"))
    assert f"{other_training} was trained otherwise" in logs


def test_resuming_with_another_normalization_is_refused(small_config):
    train(small_config("iter", "work", **ENDS_SOON))
    changed = dict(resume=True, **ENDS_SOON | {"train_cfg.max_iters": 5})
    config = other_mean(small_config("iter", "work", **changed))
    with pytest.raises(TrainingMismatchError, match=r"iter_4\.pth was trained otherwise"):
        train(config)
    accepted = other_mean(small_config("iter", "work", accept_mismatch=True, **changed))
    train(accepted)
    assert (Path(accepted.work_dir) / "iter_5.pth").exists()


@pytest.mark.parametrize("side", ["train", "val"])
def test_head_with_other_classes_than_a_data_set(small_config, side):
    config = small_config("iter", "work")
    dataset = config[f"{side}_dataloader"].dataset
    dataset.metainfo = dict(classes=["good", "bad"])
    config[f"{side}_dataloader"].dataset = dict(type="RepeatDataset", times=2, dataset=dataset)
    config.train_dataloader.sampler = dict(type="DefaultSampler", shuffle=True)
    with pytest.raises(OutputClassesError, match=rf"{side}_dataloader has 2 \(good, bad"):
        train(config)
    assert not list(Path(config.work_dir).glob("*.pth"))


def test_head_that_is_accepted_is_warned_of(small_config):
    config = small_config("iter", "work", accept_mismatch=True, **ENDS_SOON)
    config.model.decode_head.num_classes = 7
    ResumableRunner.from_cfg(config).train()
    logs = "".join(path.read_text() for path in Path(config.work_dir).rglob("*.log"))
    assert "predicts 7 classes" in logs


def test_teacher_of_other_classes_is_refused(small_config, tmp_path):
    config = small_config("iter", "work", model="kd_unetpp_lwrnet", **ENDS_SOON)
    weights = ResumableRunner.from_cfg(config).model.teacher.state_dict()
    record = TrainingRecord(classes=tuple("abcdef")).as_plain()
    save_checkpoint(weights, tmp_path / "teacher.pth", {META_KEY: record})
    config.model.teacher_ckpt = str(tmp_path / "teacher.pth")
    with pytest.raises(TrainingMismatchError, match=r"teacher\.pth was trained otherwise") as error:
        train(config)
    assert "a, b, c, d, e, f" in str(error.value)
    config.model.accept_mismatch = True
    train(config)
