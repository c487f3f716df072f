from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lwam_mm.compat import UnreadableCheckpointError, UnsafeCheckpointError
from lwam_mm.models import reparameterize
from lwam_mm.models.checkpoint import (
    CheckpointMismatchError,
    check_checksums,
    check_weights,
    load_weights,
    read_checkpoint,
    save_checkpoint,
)


class Net(nn.Module):
    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 1)
        self.norm = nn.BatchNorm2d(width)


def same(ours: dict, theirs: dict) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("bare", [True, False])
def test_weights_that_fit_are_loaded(tmp_path, prefix, bare):
    source, model = Net().state_dict(), Net()
    source["norm.running_mean"] += 1
    weights = {prefix + name: value for name, value in source.items()}
    torch.save(weights if bare else dict(meta={}, state_dict=weights), tmp_path / "a.pth")
    load_weights(model, tmp_path / "a.pth")
    assert same(model.state_dict(), source)


def test_step_counters_may_be_missing(tmp_path):
    weights = Net().state_dict()
    del weights["norm.num_batches_tracked"]
    torch.save(weights, tmp_path / "a.pth")
    model = Net()
    load_weights(model, tmp_path / "a.pth")
    assert torch.equal(model.conv.weight, weights["conv.weight"])


@pytest.mark.parametrize("wrong", ["missing", "left over", "of another shape"])
def test_weights_that_do_not_fit_are_refused_whole(tmp_path, wrong):
    weights, model = Net().state_dict(), Net()
    if wrong == "missing":
        name = "norm.weight"
        del weights[name]
    elif wrong == "left over":
        name = "norm.scale"
        weights[name] = torch.ones(2)
    else:
        name = "conv.bias: (7,) in the checkpoint, (2,) in the model"
        weights["conv.bias"] = torch.ones(7)
    torch.save(weights, tmp_path / "a.pth")
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(CheckpointMismatchError) as error:
        load_weights(model, tmp_path / "a.pth")
    message = str(error.value)
    assert f"{tmp_path / 'a.pth'} does not fit the model: nothing was loaded" in message
    assert f"1 {wrong}" in message
    assert f"    {name}\n" in message
    assert same(model.state_dict(), before)


def test_a_dozen_of_each_kind_is_listed():
    weights = Net().state_dict() | {f"extra.{n:02}": torch.ones(1) for n in range(14)}
    with pytest.raises(CheckpointMismatchError) as error:
        check_weights(Net(), weights, "a.pth")
    message = str(error.value)
    assert "14 left over in the checkpoint" in message
    assert "extra.11\n" in message
    assert "extra.12" not in message
    assert "... and 2 more" in message


def test_likely_cause_is_told(build_segmentor):
    student = build_segmentor("student").eval()
    folded = reparameterize(student)
    distillation = nn.ModuleDict(dict(architecture=student, teacher=Net()))
    cases = [
        (student, distillation.state_dict(), "take the student out.*extract_student"),
        (distillation, student.state_dict(), "use the student's config"),
        (student, folded.state_dict(), "deploy=True in backbone and head"),
        (folded, student.state_dict(), "build the model with deploy=False"),
        (student, build_segmentor("student", width=16).state_dict(), r"width \(base_channels\)"),
        (student, build_segmentor("student", head=dict(num_classes=3)).state_dict(), "classes"),
        (student, build_segmentor("teacher").state_dict(), "of another model"),
        (student, Net().state_dict(), "of another model"),
        # Both: the shapes that happen to differ say nothing.
        (student, student.state_dict() | {"a": torch.ones(1)}, "of another model"),
    ]
    for model, weights, cause in cases:
        with pytest.raises(CheckpointMismatchError, match=cause):
            check_weights(model, weights, "a.pth")


def test_file_without_weights_is_named(tmp_path):
    for content in (
        {},
        dict(state_dict={}),
        dict(epoch=3),
        dict(state_dict=[torch.ones(1)]),
        dict(state_dict=torch.ones(2)),
        dict(state_dict=dict(epoch=3)),
        [torch.ones(1)],
        torch.ones(1),
    ):
        torch.save(content, tmp_path / "a.pth")
        with pytest.raises(CheckpointMismatchError, match=r"a\.pth: holds no state dict; give"):
            read_checkpoint(tmp_path / "a.pth")


def test_missing_or_dangerous_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.pth"):
        read_checkpoint(tmp_path / "absent.pth")
    torch.save(dict(state_dict=Net()), tmp_path / "pickled.pth")
    with pytest.raises(UnsafeCheckpointError, match=r"pickled\.pth: refused"):
        load_weights(Net(), tmp_path / "pickled.pth")


def test_weights_are_read_onto_the_cpu(tmp_path, monkeypatch):
    from mmengine.runner.checkpoint import CheckpointLoader

    asked_for = []
    load = CheckpointLoader.load_checkpoint
    monkeypatch.setattr(
        CheckpointLoader,
        "load_checkpoint",
        lambda path, map_location: (asked_for.append(map_location), load(path, map_location))[1],
    )
    torch.save(Net().state_dict(), tmp_path / "a.pth")
    read_checkpoint(tmp_path / "a.pth")
    assert asked_for == ["cpu"]


def test_saved_checkpoint_is_safe_and_read_back(tmp_path):
    path = tmp_path / "new" / "a.pth"
    weights = Net().state_dict()
    save_checkpoint(weights, path, meta=dict(epoch=3))
    assert same(read_checkpoint(path).weights, dict(weights))
    assert torch.load(path, weights_only=True)["meta"] == dict(epoch=3)
    save_checkpoint(Net().state_dict(), path)
    assert torch.load(path, weights_only=True)["meta"] == {}
    assert [p.name for p in path.parent.iterdir()] == ["a.pth"]


def test_saving_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.pth"
    save_checkpoint(Net().state_dict(), path)
    before = path.read_bytes()

    def fail(content, file):
        file.write_bytes(b"half")
        raise OSError("disk is full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk is full"):
        save_checkpoint(Net().state_dict(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.pth"]


def test_damage_that_torch_overlooks_is_found(tmp_path):
    path, weights = tmp_path / "net.pth", dict(weight=torch.ones(1000))
    save_checkpoint(weights, path)
    check_checksums(path)
    content = bytearray(path.read_bytes())
    content[content.index(weights["weight"].numpy().tobytes()) + 2003] ^= 1
    path.write_bytes(content)
    assert read_checkpoint(path).weights["weight"].sum() == 999.25  # what it is for
    with pytest.raises(UnreadableCheckpointError, match=r"net\.pth: damaged since .*checksum"):
        check_checksums(path)


def test_file_without_checksums_passes(tmp_path):
    torch.save({}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    check_checksums(tmp_path / "old.pth")
