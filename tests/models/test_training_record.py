from __future__ import annotations

import logging

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MMLogger
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import init_default_scope
from mmseg.models.data_preprocessor import SegDataPreProcessor

from lwam_mm.models.training_record import (
    META_KEY,
    Preprocessing,
    TrainingMismatchError,
    TrainingRecord,
    check_training_record,
)

IMAGENET = dict(
    type="SegDataPreProcessor",
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
)
PREPROCESSING = Preprocessing((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "RGB")
RECORD = TrainingRecord(
    classes=("Powder", "Defect"),
    palette=((0, 0, 0), (255, 0, 255)),
    preprocessing=PREPROCESSING,
    scores=dict(mIoU=58.8, aAcc=91.0),
    white_level=4095,
    images=12,
)
DATASET_META = dict(classes=("Powder", "Defect"), palette=[[0, 0, 0], [255, 0, 255]])


def old_checkpoint(model: dict, **others) -> dict:
    """A checkpoint as stock MMSegmentation writes it."""
    text = Config(dict(model=model, **others)).pretty_text
    return dict(state_dict={}, meta=dict(cfg=text, dataset_meta=DATASET_META))


# Preprocessing


def test_module_and_config_read_alike():
    settings = {key: value for key, value in IMAGENET.items() if key != "type"}
    assert Preprocessing.of_module(SegDataPreProcessor(**settings)) == PREPROCESSING
    assert Preprocessing.of_config(IMAGENET) == PREPROCESSING
    scoped = IMAGENET | dict(type="mmseg.SegDataPreProcessor")
    assert Preprocessing.of_config(scoped) == PREPROCESSING


def test_no_normalization_is_mean_0_and_std_1():
    expected = Preprocessing((0, 0, 0), (1, 1, 1), "BGR")
    assert Preprocessing.of_module(SegDataPreProcessor()) == expected
    assert Preprocessing.of_config(dict(type="SegDataPreProcessor")) == expected
    none = dict(type="SegDataPreProcessor", mean=None, std=None)
    assert Preprocessing.of_config(none) == expected
    one = dict(type="SegDataPreProcessor", mean=[0.0], std=[1.0], rgb_to_bgr=True, pad_val=3)
    assert Preprocessing.of_config(one) == Preprocessing(channel_order="RGB", pad_value=3)


def test_other_preprocessors_are_not_guessed():
    assert Preprocessing.of_module(BaseDataPreprocessor()) is None
    assert Preprocessing.of_module(None) is None
    assert Preprocessing.of_config(dict(type="ImgDataPreprocessor", mean=[1, 2, 3])) is None
    assert Preprocessing.of_config(None) is None


# Reading


def test_record_survives_a_checkpoint(tmp_path):
    meta = {META_KEY: RECORD.as_plain()}
    torch.save(dict(meta=meta, state_dict={}), tmp_path / "a.pth")
    loaded = torch.load(tmp_path / "a.pth", weights_only=True)
    assert TrainingRecord.of_checkpoint(loaded) == RECORD
    assert RECORD.miou == 58.8


@pytest.mark.parametrize(
    "model",
    [
        dict(type="EncoderDecoder", data_preprocessor=IMAGENET),
        dict(type="FrozenTeacherDistill", architecture=dict(data_preprocessor=IMAGENET)),
        dict(
            type="FrozenTeacherDistill",
            data_preprocessor=IMAGENET,
            architecture=dict(data_preprocessor=dict(type="SegDataPreProcessor")),
        ),
    ],
    ids=["segmentor", "student", "own"],
)
def test_checkpoint_of_another_training_is_read_from_its_config(model):
    record = TrainingRecord.of_checkpoint(old_checkpoint(model))
    assert record.classes == RECORD.classes
    assert record.palette == RECORD.palette
    assert record.preprocessing == PREPROCESSING
    assert record.miou is None


def test_preprocessor_beside_the_model():
    checkpoint = old_checkpoint(dict(type="EncoderDecoder"), data_preprocessor=IMAGENET)
    assert TrainingRecord.of_checkpoint(checkpoint).preprocessing == PREPROCESSING


def test_config_text_is_not_run(tmp_path):
    text = (
        f"model = dict(data_preprocessor=dict(type='SegDataPreProcessor', pad_val=open("
        f"{str(tmp_path / 'run')!r}, 'w').close() or 0))\n"
    )
    assert TrainingRecord.of_checkpoint(dict(meta=dict(cfg=text))) == TrainingRecord()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ["model = dict(", "x\0", "(" * 300, 3, None, "model = [1]"])
def test_unreadable_config_text_is_no_record(text):
    assert TrainingRecord.of_checkpoint(dict(meta=dict(cfg=text))) == TrainingRecord()


def test_capitals_of_early_mmsegmentation():
    meta = dict(CLASSES=["Powder", "Defect"], PALETTE=[[0, 0, 0], [255, 0, 255]])
    record = TrainingRecord.of_checkpoint(dict(meta=meta))
    assert (record.classes, record.palette) == (RECORD.classes, RECORD.palette)


@pytest.mark.parametrize("checkpoint", [{}, dict(meta=None), {"a.weight": torch.ones(1)}])
def test_bare_weights_have_no_record(checkpoint):
    assert TrainingRecord.of_checkpoint(checkpoint) == TrainingRecord()


def test_last_validation_of_the_history():
    histories = dict(
        plain=dict(log_history=torch.tensor([40.0, 58.8])), stock=HistoryBuffer([40, 58.8], [1, 1])
    )
    for history in histories.values():
        hub = dict(log_scalars={"val/mIoU": history, "train/loss": history})
        assert TrainingRecord.of_checkpoint(dict(meta={}, message_hub=hub)).miou == pytest.approx(
            58.8
        )
    empty = dict(log_scalars={"val/mIoU": dict(log_history=torch.tensor([]))})
    assert TrainingRecord.of_checkpoint(dict(meta={}, message_hub=empty)).miou is None


def test_config_of_a_segmentor_and_of_a_distillation(repository):
    init_default_scope("mmseg")
    for name in (
        "lwrnet/lwrnet-w64_1xb4-2000e_powder-bed-1024x1024",
        "distill/kd-unetpp-w32_lwrnet-w64_1xb8-2000e_powder-bed-1024x1024",
    ):
        config = Config.fromfile(repository / f"configs/{name}.py")
        record = TrainingRecord.of_config(config)
        assert record.white_level == 65535
        config.test_dataloader.dataset.white_level = 4095
        assert TrainingRecord.of_config(config).white_level == 4095
        assert record.classes[1] == "Super"
        assert record.palette[1] == (255, 0, 255)
        assert record.preprocessing == PREPROCESSING


def test_wrapped_datasets_of_a_config():
    init_default_scope("mmseg")
    plain = dict(type="PowderBedDataset", metainfo=dict(classes=["a", "b"]))
    repeated = dict(type="RepeatDataset", times=2, dataset=plain)
    concatenated = dict(type="ConcatDataset", datasets=[repeated, repeated])
    seeded = dict(type="SeededDataset", dataset=concatenated)
    for dataset in (plain, repeated, concatenated, seeded):
        config = Config(dict(test_dataloader=dict(dataset=dataset)))
        assert TrainingRecord.of_config(config).classes == ("a", "b")
    assert TrainingRecord.of_config(Config(dict(model=dict()))) == TrainingRecord()


# Comparison


def changed(**changes) -> TrainingRecord:
    return TrainingRecord(**{**RECORD.__dict__, **changes})


DIFFERENT = {
    "order": (dict(classes=("Defect", "Powder")), "classes", "Powder, Defect", "Defect, Powder"),
    "names": (dict(classes=("Powder", "Pore")), "classes", "Powder, Defect", "Powder, Pore"),
    "number": (dict(classes=("Powder",)), "classes", "Powder, Defect", "Powder"),
    "palette": (dict(palette=((0, 0, 0), (9, 9, 9))), "palette", "(255, 0, 255)", "(9, 9, 9)"),
    "mean": (
        dict(preprocessing=Preprocessing((123.675, 116.28, 104), PREPROCESSING.std, "RGB")),
        "preprocessing",
        "103.53]",
        "104]",
    ),
    "std": (
        dict(preprocessing=Preprocessing(PREPROCESSING.mean, (1, 1, 1), "RGB")),
        "preprocessing",
        "std [58.395, 57.12, 57.375]",
        "std [1, 1, 1]",
    ),
    "white level": (dict(white_level=65535), "white level", "4095", "65535"),
    "channels": (
        dict(preprocessing=Preprocessing(PREPROCESSING.mean, PREPROCESSING.std, "BGR")),
        "preprocessing",
        "RGB",
        "BGR",
    ),
    "padding": (
        dict(preprocessing=Preprocessing(PREPROCESSING.mean, PREPROCESSING.std, "RGB", 1)),
        "preprocessing",
        "padded with 0",
        "padded with 1",
    ),
}


@pytest.mark.parametrize("difference", DIFFERENT)
def test_difference_is_an_error_that_shows_both_sides(difference):
    changes, what, trained, expected = DIFFERENT[difference]
    with pytest.raises(TrainingMismatchError) as error:
        check_training_record(RECORD, changed(**changes), "best.pth")
    title, name, theirs, ours, remedy = str(error.value).splitlines()
    assert title.startswith("best.pth was trained otherwise")
    assert name.strip() == f"{what}:"
    assert "checkpoint" in theirs
    assert trained in theirs
    assert "config" in ours
    assert expected in ours
    assert "--accept-mismatch" in remedy


@pytest.mark.parametrize("difference", DIFFERENT)
def test_difference_can_be_accepted(difference, log):
    check_training_record(RECORD, changed(**DIFFERENT[difference][0]), "best.pth", accept=True)
    assert [(level, text.split(" was")[0]) for level, text in log] == [("WARNING", "best.pth")]


def test_what_agrees_or_is_unknown_passes(log):
    check_training_record(RECORD, RECORD, "best.pth")
    rounded = Preprocessing.of_config(IMAGENET | dict(mean=[123.6750001, 116.28, 103.53]))
    check_training_record(RECORD, changed(preprocessing=rounded, scores={}), "best.pth")
    check_training_record(RECORD, TrainingRecord(), "best.pth")
    assert log == []


def test_checkpoint_without_a_record_is_noted(log):
    check_training_record(TrainingRecord(), RECORD, "bare.pth")
    ((level, text),) = log
    assert level == "INFO"
    assert text.startswith("bare.pth does not say how it was trained")


@pytest.fixture
def log(request) -> list[tuple[str, str]]:
    """Level and text of what is logged from now on."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append((record.levelname, record.getMessage()))
    logger = MMLogger.get_instance(request.node.name, log_level="INFO")
    logger.addHandler(handler)
    return lines
