"""tools/extract_student.py: the student, and what it remembers of its training."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from lwam_mm.models.checkpoint import read_checkpoint, save_checkpoint
from lwam_mm.models.training_record import META_KEY, TrainingMismatchError, TrainingRecord

OTHER_MEAN = "model['data_preprocessor'] = dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0])"
REORDERED = "test_dataloader['dataset']['metainfo'] = dict(classes=list('fedcba'))"


@pytest.fixture
def record(write_config) -> TrainingRecord:
    return TrainingRecord.of_config(Config.fromfile(write_config(name="trained.py")))


@pytest.fixture
def distilled(record, tmp_path):
    weights = {"architecture.a": torch.ones(2), "teacher.a": torch.zeros(2)}
    save_checkpoint(weights, tmp_path / "distilled.pth", {META_KEY: record.as_plain()})
    return tmp_path / "distilled.pth"


def test_record_goes_with_the_student(tool_main, distilled, record, write_config, tmp_path):
    student = tmp_path / "student.pth"
    arguments = [str(distilled), str(student), "--config", str(write_config())]
    assert tool_main("extract_student")(arguments) == 0
    assert read_checkpoint(student).record == record
    assert read_checkpoint(student).weights.keys() == {"a"}


def test_record_of_an_older_distillation_goes_with_the_student(tool_main, record, tmp_path):
    preprocessor = "dict(type='SegDataPreProcessor', mean=[1, 2, 3], std=[4, 5, 6])"
    meta = dict(
        dataset_meta=dict(classes=record.classes, palette=record.palette),
        cfg=f"model = dict(architecture=dict(data_preprocessor={preprocessor}))\n",
    )
    save_checkpoint({"architecture.a": torch.ones(2)}, tmp_path / "old.pth", meta)
    student = tmp_path / "student.pth"
    assert tool_main("extract_student")([str(tmp_path / "old.pth"), str(student)]) == 0
    extracted = read_checkpoint(student).record
    assert (extracted.classes, extracted.palette) == (record.classes, record.palette)
    assert extracted.preprocessing.std == (4, 5, 6)


@pytest.mark.parametrize("change", [OTHER_MEAN, REORDERED], ids=["normalization", "class order"])
def test_other_training_is_refused_unless_accepted(
    tool_main, distilled, write_config, tmp_path, change
):
    student = tmp_path / "student.pth"
    arguments = [str(distilled), str(student), "--config", str(write_config(change))]
    with pytest.raises(TrainingMismatchError, match=r"distilled\.pth was trained otherwise"):
        tool_main("extract_student")(arguments)
    assert not student.exists()
    assert tool_main("extract_student")([*arguments, "--accept-mismatch"]) == 0
    assert student.exists()
