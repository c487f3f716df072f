from __future__ import annotations

import copy

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS

from lwam_mm.distill.teacher_preprocessing import TeacherPreprocessingError
from lwam_mm.models.checkpoint import save_checkpoint
from lwam_mm.models.training_record import (
    META_KEY,
    Preprocessing,
    TrainingMismatchError,
    TrainingRecord,
)

OWN = dict(mean=[200.0, 20.0, 30.0], std=[8.0, 100.0, 255.0])
PADDED = dict(bgr_to_rgb=True, size_divisor=16, test_cfg=dict(size_divisor=16))


@pytest.fixture
def raw_batch(batch):
    """Function that draws raw images, as a data loader hands them on, and their samples."""

    def draw(size=(32, 32)):
        _, samples = batch(images=2, size=32)
        generator = torch.Generator().manual_seed(3)
        inputs = torch.randint(0, 256, (2, 3, *size), generator=generator, dtype=torch.uint8)
        for sample in samples:
            labels = sample.gt_sem_seg.data[:, : size[0], : size[1]]
            sample.gt_sem_seg = PixelData(data=labels)
        return dict(inputs=list(inputs), data_samples=samples)

    return draw


@pytest.fixture
def teachers_own(config):
    """Settings of a teacher's preprocessor with a mean and standard deviation of its own."""
    student = config.architecture.data_preprocessor
    return dict(student) | OWN


def recorded(algorithm, inputs, samples):
    algorithm(inputs, samples, mode="loss")
    recorders = algorithm.distiller.teacher_recorders
    return [recorders.get_recorder(name).get_record_data() for name in ("feature", "logits")]


def expected_logits(algorithm, settings, data):
    """The logits of the teacher's own modules, for images that its own preprocessor prepared."""
    settings = {key: value for key, value in settings.items() if key != "type"}
    prepared = SegDataPreProcessor(**settings)(copy.deepcopy(data), True)["inputs"]
    teacher = algorithm.teacher
    with torch.no_grad():
        features = teacher.backbone(prepared)
        return [features[-1], teacher.decode_head(features)]


@pytest.mark.parametrize("engine", [None, "torch", "openvino"])
@pytest.mark.parametrize("size", [(32, 32), (24, 19)], ids=["whole", "padded"])
def test_teacher_sees_what_it_was_trained_on(config, make, raw_batch, teachers_own, engine, size):
    if engine == "openvino":
        pytest.importorskip("openvino")
    config.teacher.data_preprocessor = teachers_own | dict(pad_val=0.5)
    algorithm = make(teacher_engine=engine)
    data = raw_batch(size)
    expected = expected_logits(algorithm, config.teacher.data_preprocessor, data)
    prepared = algorithm.data_preprocessor(copy.deepcopy(data), True)
    before = prepared["inputs"].clone()
    found = recorded(algorithm, prepared["inputs"], prepared["data_samples"])
    assert torch.equal(prepared["inputs"], before)  # the student's
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    # And it matters.
    shared = algorithm.teacher.decode_head(algorithm.teacher.backbone(before))
    assert (shared - expected[1]).abs().max() > 0.1


def test_int8_teacher_has_its_own_normalization_as_well(config, make, raw_batch, teachers_own):
    pytest.importorskip("nncf")
    config.teacher.data_preprocessor = teachers_own
    algorithm = make(teacher_engine="openvino-int8")
    data = raw_batch()
    expected = expected_logits(algorithm, teachers_own, data)[0]
    prepared = algorithm.data_preprocessor(copy.deepcopy(data), True)
    algorithm.teacher_engine.calibration = list(prepared["inputs"].split(1))
    found, _ = recorded(algorithm, prepared["inputs"], prepared["data_samples"])
    shared = algorithm.teacher.backbone(prepared["inputs"])[-1]
    # Far from both, as 8 bits of random weights are, but farther from the wrong one.
    assert (found - expected).abs().mean() < 0.7 * (found - shared).abs().mean()


def test_teacher_is_validated_with_its_own_normalization(config, make, raw_batch, teachers_own):
    """As MMRazor's validation loop does it, which hands the teacher the student's preprocessor."""
    config.teacher.data_preprocessor = teachers_own
    algorithm = make(teacher_engine=None).eval()
    data = raw_batch((24, 19))
    _, expected = expected_logits(algorithm, teachers_own, data)
    algorithm.teacher.data_preprocessor = algorithm.data_preprocessor
    for sample in data["data_samples"]:
        sample.set_metainfo(dict(img_shape=(24, 19), ori_shape=(24, 19)))
    predicted = algorithm.teacher.val_step(data)
    for sample, logits in zip(predicted, expected, strict=True):
        torch.testing.assert_close(
            sample.seg_logits.data, logits[:, :24, :19], atol=1e-4, rtol=1e-4
        )


def test_shared_preprocessing_costs_nothing(config, make):
    config.teacher.data_preprocessor = copy.deepcopy(config.architecture.data_preprocessor)
    for algorithm in (make(), make(teacher_engine=None)):
        assert not hasattr(algorithm.teacher, "renormalize")
        assert not algorithm.teacher._forward_pre_hooks


def test_checkpoints_are_the_same(config, make, teachers_own):
    keys = make().state_dict().keys()
    config.teacher.data_preprocessor = teachers_own
    assert make().state_dict().keys() == keys


def test_copies_renormalize_as_well(config, make, raw_batch, teachers_own):
    config.teacher.data_preprocessor = teachers_own
    algorithm = make(teacher_engine=None)
    prepared = algorithm.data_preprocessor(raw_batch(), True)
    inputs, samples = prepared["inputs"], prepared["data_samples"]
    copied = copy.deepcopy(algorithm)
    expected = recorded(algorithm, inputs, samples)
    for ours, theirs in zip(recorded(copied, inputs, samples), expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (dict(bgr_to_rgb=False), "channel order ('BGR' of the teacher, 'RGB' of the student)"),
        (dict(size_divisor=32), "size_divisor (32 of the teacher, 16 of the student)"),
        (dict(size_divisor=None, size=(64, 64)), "size ((64, 64) of the teacher, None"),
        (dict(test_cfg=dict(size_divisor=32)), "test_cfg"),
    ],
)
def test_any_other_difference_is_refused_when_built(config, make, teachers_own, changes, named):
    config.teacher.data_preprocessor = teachers_own | changes
    with pytest.raises(TeacherPreprocessingError) as error:
        make()
    assert named in str(error.value)


def test_preprocessor_of_another_kind_is_refused(config, make):
    config.teacher.data_preprocessor = dict(type="mmengine.ImgDataPreprocessor")
    with pytest.raises(TeacherPreprocessingError, match="ImgDataPreprocessor and SegDataPre"):
        make()


def test_settings_that_the_teacher_leaves_out_are_the_students(config, make):
    config.teacher.data_preprocessor = dict(type="SegDataPreProcessor", bgr_to_rgb=True, **OWN)
    assert hasattr(make().teacher, "renormalize")


def test_teacher_checkpoint_of_another_normalization(config, tmp_path, teachers_own):
    record = TrainingRecord(preprocessing=Preprocessing.of_config(teachers_own))
    weights = MODELS.build(copy.deepcopy(config.teacher)).state_dict()
    save_checkpoint(weights, tmp_path / "teacher.pth", {META_KEY: record.as_plain()})
    config.teacher_ckpt = str(tmp_path / "teacher.pth")
    remedy = r"teacher\.pth was trained otherwise(?s:.*)model\.teacher\.data_preprocessor"
    with pytest.raises(TrainingMismatchError, match=remedy):
        MODELS.build(copy.deepcopy(config)).init_weights()
    MODELS.build(copy.deepcopy(config) | dict(accept_mismatch=True)).init_weights()
    config.teacher.data_preprocessor = teachers_own
    MODELS.build(config).init_weights()
