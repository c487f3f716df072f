from __future__ import annotations

import pytest
import torch

from lwam_mm.distill.extract_student import extract_student
from lwam_mm.models.checkpoint import CheckpointMismatchError, read_checkpoint


def test_student_alone_is_kept(tmp_path):
    weights = {"architecture.a.weight": torch.ones(2), "teacher.a.weight": torch.zeros(2)}
    meta = dict(epoch=3, dataset_meta=dict(classes=["a"]), cfg="secret = 1")
    torch.save(dict(state_dict=weights, meta=meta, optimizer={}), tmp_path / "distilled.pth")
    extract_student(tmp_path / "distilled.pth", tmp_path / "new" / "student.pth")
    assert read_checkpoint(tmp_path / "new" / "student.pth").weights.keys() == {"a.weight"}
    written = torch.load(tmp_path / "new" / "student.pth", weights_only=True)
    assert written["meta"]["dataset_meta"] == dict(classes=["a"])
    assert written["meta"]["extracted_from"] == "distilled.pth"
    assert "optimizer" not in written
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["student.pth"]


def test_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.pth"):
        extract_student(tmp_path / "absent.pth", tmp_path / "student.pth")


def test_plain_checkpoint_is_refused(tmp_path):
    torch.save(dict(state_dict={"a.weight": torch.ones(2)}), tmp_path / "plain.pth")
    with pytest.raises(CheckpointMismatchError, match=r"plain\.pth: holds no student"):
        extract_student(tmp_path / "plain.pth", tmp_path / "student.pth")
    assert not (tmp_path / "student.pth").exists()
