"""Parity with the authors' released code: see tests/data/reference/README.md."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from lwam_mm.models import reparameterize
from lwam_mm.models.checkpoint import CheckpointMismatchError, check_weights, load_weights
from lwam_mm.models.reference_checkpoint import (
    import_reference_checkpoint,
    read_reference_weights,
    translate,
)

TOLERANCE = dict(atol=1e-5, rtol=1e-5)
LOSS = dict(type="CrossEntropyLoss", avg_non_ignore=True)


def build(model: str, **head: bool) -> torch.nn.Module:
    backbone, decode_head = dict(
        student=("LWRNet", "LWRHead"), teacher=("UNetPlusPlus", "UNetPlusPlusHead")
    )[model]
    config = dict(
        type="FoldableEncoderDecoder",
        backbone=dict(type=backbone),
        decode_head=dict(type=decode_head, num_classes=6, loss_decode=LOSS, **head),
        test_cfg=dict(mode="whole"),
    )
    return MODELS.build(config).eval()


@pytest.fixture(scope="module")
def reference_input() -> torch.Tensor:
    drawn = np.random.RandomState(0).standard_normal((2, 3, 32, 48))
    return torch.from_numpy(drawn.astype(np.float32))


@pytest.fixture
def loaded(reference_state_dict):
    def load(model: str, weights: dict | None = None, **head: bool) -> torch.nn.Module:
        built = build(model, **head)
        arrays = weights or reference_state_dict(model)
        ours = translate({k: torch.from_numpy(v) for k, v in arrays.items()}, model)
        check_weights(built, ours, "the reference weights")
        built.load_state_dict(ours)
        return built

    return load


def record(model: torch.nn.Module, module: str, x: torch.Tensor):
    """Logits, and what the named submodule gave on the way."""
    kept = []
    handle = model.get_submodule(module).register_forward_hook(lambda m, i, o: kept.append(o))
    with torch.no_grad():
        logits = model(x)
    handle.remove()
    return logits, kept[0]


def test_student(loaded, reference_input, reference_folder):
    expected = np.load(reference_folder / "student.npz")
    logits, feature = record(loaded("student"), "backbone.stage4", reference_input)
    np.testing.assert_allclose(logits, expected["logits"], **TOLERANCE)
    np.testing.assert_allclose(feature, expected["feature"], **TOLERANCE)


def test_folded_student(loaded, reference_input, reference_folder):
    expected = np.load(reference_folder / "student.npz")
    folded = reparameterize(loaded("student"))
    with torch.no_grad():
        np.testing.assert_allclose(folded(reference_input), expected["logits_fused"], **TOLERANCE)
    blocks = {
        "stage0": "backbone.stage0.0",
        "stage1.0": "backbone.stage1.0",
        "conv4.0": "decode_head.blocks.3",
    }
    for released, ours in blocks.items():
        conv = folded.get_submodule(ours).folded
        np.testing.assert_allclose(
            conv.weight.detach(), expected[f"{released}.kernel"], atol=1e-6, rtol=0
        )
        np.testing.assert_allclose(
            conv.bias.detach(), expected[f"{released}.bias"], atol=1e-6, rtol=0
        )


def test_folded_checkpoint_names(reference_state_dict):
    """A released checkpoint that is folded already fits our folded form."""
    arrays = reference_state_dict("student_folded")
    ours = translate({k: torch.from_numpy(v) for k, v in arrays.items()}, "student")
    check_weights(reparameterize(build("student")), ours, "the folded reference weights")


@pytest.mark.parametrize(
    ("deep_supervision", "logits_name"),
    [(True, "logits_deep_supervision"), (False, "logits_last")],
)
def test_teacher(
    deep_supervision, logits_name, loaded, reference_input, reference_folder, reference_state_dict
):
    expected = np.load(reference_folder / "teacher.npz")
    weights = reference_state_dict("teacher")
    if not deep_supervision:  # one classifier then, the released fourth
        weights = {k: v for k, v in weights.items() if not k.startswith(("final_1", "final_2"))}
        weights = {k: v for k, v in weights.items() if not k.startswith("final_3")}
    model = loaded("teacher", weights, deep_supervision=deep_supervision)
    logits, feature = record(model, "backbone.nodes.x_40", reference_input)
    np.testing.assert_allclose(logits, expected[logits_name], **TOLERANCE)
    np.testing.assert_allclose(feature, expected["feature"], **TOLERANCE)


@pytest.mark.parametrize("model", ["student", "teacher"])
def test_files_of_both_kinds(model, reference_state_dict, tmp_path):
    arrays = {f"module.{k}": v for k, v in reference_state_dict(model).items()}
    np.savez(tmp_path / "weights.npz", **arrays)
    torch.save({k: torch.from_numpy(v) for k, v in arrays.items()}, tmp_path / "weights.pth")
    for name in ("weights.npz", "weights.pth"):
        weights = translate(read_reference_weights(tmp_path / name), model)
        check_weights(build(model), weights, name)


def test_every_wrong_key_is_listed(reference_state_dict):
    weights = {k: torch.from_numpy(v) for k, v in reference_state_dict("student").items()}
    del weights["stage0.rbr_dense.conv.weight"]
    weights["surplus.weight"] = torch.zeros(1)
    weights["conv.bias"] = torch.zeros(7)
    with pytest.raises(CheckpointMismatchError) as error:
        check_weights(build("student"), translate(weights, "student"), "a.pth")
    message = str(error.value)
    assert "a.pth" in message
    assert "backbone.stage0.0.conv3x3.weight" in message
    assert "surplus.weight" in message
    assert "decode_head.conv_seg.bias: (7,) in the checkpoint, (6,) in the model" in message


def test_unreadable_archive_is_named(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(CheckpointMismatchError, match=r"a\.npz: not an \.npz archive"):
        read_reference_weights(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.array([object()]))
    with pytest.raises(CheckpointMismatchError, match=r"b\.npz"):
        read_reference_weights(tmp_path / "b.npz")
    with pytest.raises(FileNotFoundError, match=r"c\.npz"):
        read_reference_weights(tmp_path / "c.npz")


@pytest.mark.parametrize("model", ["student", "student_folded", "teacher"])
def test_imported_file_loads_into_our_model(model, reference_state_dict, tmp_path):
    np.savez(tmp_path / "released.npz", **reference_state_dict(model))
    name = model.removesuffix("_folded")
    weights = import_reference_checkpoint(
        tmp_path / "released.npz", tmp_path / "ours" / "imported.pth", name
    )
    built = build(name)
    if model == "student_folded":
        built = reparameterize(built)
    load_weights(built, tmp_path / "ours" / "imported.pth")
    for key, value in built.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_import_writes_nothing_if_a_key_is_wrong(reference_state_dict, tmp_path):
    arrays = reference_state_dict("teacher")
    del arrays["final_2.bias"]
    np.savez(tmp_path / "released.npz", **arrays)
    with pytest.raises(CheckpointMismatchError, match=r"side_classifiers\.x_02\.bias"):
        import_reference_checkpoint(tmp_path / "released.npz", tmp_path / "ours.pth", "teacher")
    assert not (tmp_path / "ours.pth").exists()
    with pytest.raises(CheckpointMismatchError, match="left over"):
        import_reference_checkpoint(tmp_path / "released.npz", tmp_path / "ours.pth", "student")
