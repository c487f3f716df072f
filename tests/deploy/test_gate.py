from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lwam_mm.deploy.compared_models import LabelledImage, StageOutput
from lwam_mm.deploy.gate import GateError, Limits, read_limits, run_gate
from lwam_mm.utils.errors import UserError

CLASSES = ("Background", "Super", "Incomplete")


def logits_of(labels: np.ndarray, scale: float = 4.0) -> np.ndarray:
    return np.float32(scale) * (np.arange(3)[:, None, None] == labels).astype(np.float32)


def stage(change=lambda logits: logits):
    def see(sample: LabelledImage) -> StageOutput:
        logits = change(logits_of(np.where(sample.truth == 255, 0, sample.truth)))
        return StageOutput(logits, logits.argmax(0).astype(np.uint8))

    return see


@pytest.fixture
def samples():
    first = np.zeros((10, 20), np.uint8)
    first[:5] = 1
    second = np.zeros((10, 10), np.uint8)
    second[0] = 255
    return [LabelledImage(Path("a.png"), first, {}), LabelledImage(Path("b.png"), second, {})]


def run(samples, change, **limits):
    stages = {"folded": stage(), "exported": stage(change)}
    return run_gate(stages, samples, CLASSES, {"exported": Limits(**limits)})


def test_equal_stages_pass_the_tightest_limits(samples):
    report = run(samples, np.copy, logits=0, agreement=100, miou=0, class_iou=0)
    assert report.failures == []
    (difference,) = report.differences
    assert (difference.largest, difference.agreement, difference.miou) == (0, 100, 0)
    assert difference.class_iou == {"Background": 0, "Super": 0, "Incomplete": None}
    assert report.stages["folded"]["mIoU"] == 100
    assert report.images == 2


def test_differences_are_relative_above_one(samples):
    def change(logits):
        logits = logits.copy()
        logits[0, 0, 0] += 0.5  # was 0 in the first image: absolute
        logits[1, 0, 0] += 0.5  # was 4 there: an eighth
        return logits

    (difference,) = run(samples, change).differences
    assert difference.largest == 0.5
    assert 0 < difference.mean < 0.01


def flipped(logits):
    """Take two of 200 + 100 pixels from the first class to the second."""
    logits = logits.copy()
    logits[:, -1, -1] = [0, 4, 0]
    return logits


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (dict(logits=3.0), r"exported against folded: logits differ by 4, allowed 3"),
        (dict(agreement=99.5), r"99\.333 % of the pixels agree, at least 99\.5 % have to"),
        (dict(miou=1.0), r"mIoU falls by 1\.51, allowed 1"),
        (dict(class_iou=1.5), r"IoU of Super falls by 1\.96, allowed 1\.5"),
    ],
)
def test_each_limit_is_kept(samples, limits, message):
    report = run(samples, flipped, **limits)
    assert len(report.failures) == 1
    with pytest.raises(GateError, match=message):
        raise GateError(report)
    wider = {name: 99.0 if name == "agreement" else 10 for name in limits}
    assert run(samples, flipped, **wider).failures == []


def test_a_gain_breaks_no_limit(samples):
    stages = {"folded": stage(flipped), "exported": stage()}
    report = run_gate(stages, samples, CLASSES, {"exported": Limits(miou=0, class_iou=0)})
    assert report.differences[0].miou > 1
    assert report.failures == []


def test_only_neighbours_have_limits_but_every_pair_is_measured(samples):
    stages = {"a": stage(), "b": stage(flipped), "c": stage(flipped)}
    report = run_gate(stages, samples, CLASSES, {name: Limits(logits=0) for name in "abc"})
    assert [(d.earlier, d.later) for d in report.differences] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert len(report.failures) == 1
    assert report.failures[0].startswith("b against a")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_caught_wherever_they_stand(samples, value):
    def change(logits):
        logits = logits.copy()
        logits[2, 3, 3] = value
        return logits

    assert run(samples, change, logits=1e-3).failures
    assert run(samples[::-1], change, logits=1e-3).failures


def test_the_report_is_readable_and_plain_json(samples):
    report = run(samples, flipped)
    text = str(report)
    assert "exported" in text
    assert "Super -1.96" in text
    assert "2 validation images" in text
    assert json.loads(json.dumps(report.to_json(), allow_nan=False)) == report.to_json()


def test_no_image_is_no_proof():
    with pytest.raises(UserError, match="at least one validation image"):
        run([], np.copy)


def test_other_classes_are_told(samples):
    with pytest.raises(UserError, match="the exported model has other classes"):
        run(samples, lambda logits: logits[:2])


def test_limits_are_read_by_name():
    limits = read_limits(dict(int8=dict(miou=0.5)))
    assert limits == {"INT8": Limits(miou=0.5)}
    with pytest.raises(UserError, match=r"gate\.limits\.int4: no such stage"):
        read_limits(dict(int4=dict(miou=0.5)))
    with pytest.raises(UserError, match=r"gate\.limits\.int8\.mIoU: no such limit; there are"):
        read_limits(dict(int8=dict(mIoU=0.5)))


def test_differences_are_relative_to_the_earlier_stage(samples):
    """Half of 8 is 0.5 of the earlier logit and 1 of the later."""
    stages = {"folded": stage(lambda logits: 2 * logits), "exported": stage()}
    (difference,) = run_gate(stages, samples, CLASSES, {}).differences
    assert difference.largest == 0.5


def test_agreement_is_a_share_of_pixels_not_of_images(samples):
    """One pixel of 200 in the first image, none of 100 in the second."""

    def change(logits):
        if logits.shape[2] == 20:
            logits = logits.copy()
            logits[:, 0, 0] = [4, 0, 0]
        return logits

    (difference,) = run(samples, change).differences
    assert difference.agreement == pytest.approx(100 * 299 / 300)
    assert difference.mean == pytest.approx((4 + 4 / 4) / 900)


def test_masks_without_any_class_are_an_error_of_the_data(samples):
    ignored = [LabelledImage(s.path, np.full_like(s.truth, 255), {}) for s in samples]
    with pytest.raises(UserError, match=r"masks of the 2 images .* every pixel is 255"):
        run(ignored, np.copy)


def test_progress_is_told_every_twenty_images(samples):
    said = []
    run_gate({"folded": stage()}, samples * 20, CLASSES, {}, said.append)
    assert said == ["  20 of 40"]
