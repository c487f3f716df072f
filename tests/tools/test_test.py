"""tools/test.py with a checkpoint that was trained otherwise than the config says."""

from __future__ import annotations

import json

import pytest
from mmengine.config import Config

from lwam_mm.engine.launch import load_config
from lwam_mm.models.checkpoint import save_checkpoint
from lwam_mm.models.output_classes import OutputClassesError
from lwam_mm.models.training_record import META_KEY, TrainingMismatchError, TrainingRecord

CLASSES = ["Background", "Incomplete", "Super", "Hopping", "Streaking", "Lattice"]
REORDERED = f"test_dataloader['dataset']['metainfo'] = dict(classes={CLASSES})"
OTHER_MEAN = "model['data_preprocessor'] = dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0])"


@pytest.fixture
def checkpoint(write_config, student_weights, tmp_path):
    record = TrainingRecord.of_config(Config.fromfile(write_config(name="trained.py")))
    assert record.classes[1] == "Super"
    save_checkpoint(student_weights, tmp_path / "best.pth", {META_KEY: record.as_plain()})
    return tmp_path / "best.pth"


@pytest.mark.parametrize("options", [[], ["--fold"]])
def test_checkpoint_of_the_config_is_tested(tool_main, write_config, checkpoint, tmp_path, options):
    out = tmp_path / "metrics.json"
    arguments = [str(write_config()), str(checkpoint), "--out", str(out), *options]
    assert tool_main("test")(arguments) == 0
    assert "mIoU" in json.loads(out.read_text())["metrics"]


@pytest.mark.parametrize("options", [[], ["--fold"]])
@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (OTHER_MEAN, ["mean [123.675, 116.28, 103.53]", "mean [0, 0, 0]"]),
        (REORDERED, ["Background, Super, Incomplete", "Background, Incomplete, Super"]),
    ],
    ids=["normalization", "class order"],
)
def test_other_training_is_refused_unless_accepted(
    tool_main, write_config, checkpoint, change, shown, options
):
    arguments = [str(write_config(change)), str(checkpoint), *options]
    with pytest.raises(TrainingMismatchError, match=r"best\.pth was trained otherwise") as error:
        tool_main("test")(arguments)
    assert all(text in str(error.value) for text in shown)
    assert tool_main("test")([*arguments, "--accept-mismatch"]) == 0


def test_checkpoint_without_a_record_is_tested(tool_main, write_config, student_weights, tmp_path):
    save_checkpoint(student_weights, tmp_path / "bare.pth")
    assert tool_main("test")([str(write_config(OTHER_MEAN)), str(tmp_path / "bare.pth")]) == 0


@pytest.mark.parametrize(
    "wrapper",
    [
        "",
        "dict(type='RepeatDataset', times=2, dataset={})",
        "dict(type='ConcatDataset', datasets=[{}, {}])",
        "dict(type='SeededDataset', dataset=dict(type='ConcatDataset', datasets=[{}]))",
    ],
)
def test_head_with_other_classes_than_the_data(
    tool_main, write_config, student_weights, tmp_path, blocks, wrapper
):
    dataset = f"""dict(
        type='PowderBedDataset', data_root={str(blocks)!r}, metainfo=dict(classes=['good', 'bad']),
        data_prefix=dict(img_path='images/test', seg_map_path='masks/test'), test_mode=True,
        pipeline=_base_.test_pipeline, _delete_=True)"""
    inner = dataset.replace(", _delete_=True", "")
    if wrapper:
        dataset = wrapper.replace("{}", inner)[:-1] + ", _delete_=True)"
    save_checkpoint(student_weights, tmp_path / "bare.pth")
    config = write_config(f"test_dataloader['dataset'] = {dataset}")
    with pytest.raises(OutputClassesError, match=r"predicts 6 classes.*has 2 \(good, bad\)"):
        tool_main("test")([str(config), str(tmp_path / "bare.pth")])


def test_binary_head_is_refused_before_the_checkpoint_is_read(tool_main, write_config, tmp_path):
    head = (
        "model.update(type='EncoderDecoder', decode_head=dict(_delete_=True, type='FCNHead', "
        "in_channels=32, channels=8, num_classes=2, out_channels=1, norm_cfg=dict(type='BN'), "
        "loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True)))"
    )
    with pytest.raises(OutputClassesError, match=r"decode_head: out_channels=1"):
        tool_main("test")([str(write_config(head)), str(tmp_path / "absent.pth")])


def test_option_reaches_a_distillation(repository):
    config = repository / "configs/demo"
    config /= "kd-unetpp-w8_lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py"
    for accepted in (False, True):
        loaded = load_config(config, accept_mismatch=accepted)
        assert loaded.get("accept_mismatch", False) is accepted
        assert loaded.model.get("accept_mismatch", False) is accepted
