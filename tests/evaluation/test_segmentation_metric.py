import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS

import lwam_mm.plugin  # noqa: F401  repairs mmcv before mmseg is imported
from lwam_mm.evaluation.segmentation_metric import SegmentationMetric

REFERENCE = Path(__file__).parents[1] / "data" / "reference" / "metrics.npz"
CLASSES = ("Background", "Super", "Incomplete", "Hopping", "Streaking", "Lattice")
MEANS = ("aAcc", "mIoU", "mAcc", "mDice", "mFscore", "mPrecision", "mRecall")


@pytest.fixture
def log_records():
    """Log records of mmengine's current logger, which does not propagate to pytest's."""
    logger = MMLogger.get_current_instance()
    records = []
    handler = logging.Handler(logging.INFO)
    handler.emit = records.append
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(level)


def make_sample(label, prediction, name="data/images/val/layer_7.png", mask=None):
    sample = {
        "pred_sem_seg": {"data": torch.as_tensor(np.asarray(prediction), dtype=torch.int64)[None]},
        "gt_sem_seg": {"data": torch.as_tensor(np.asarray(label))[None]},
        "img_path": name,
    }
    return sample if mask is None else {**sample, "seg_map_path": mask}


def evaluate(labels, predictions, classes=CLASSES, **options):
    metric = SegmentationMetric(**options)
    metric.dataset_meta = {"classes": classes}
    for label, prediction in zip(labels, predictions, strict=True):
        metric.process({}, [make_sample(label, prediction)])
    return metric.evaluate(size=len(labels))


def test_equals_the_reference():
    reference = np.load(REFERENCE)
    scores = evaluate(reference["labels"], reference["predictions"])

    assert scores["aAcc"] / 100 == pytest.approx(float(reference["aAcc"]), abs=1e-6)
    for name in ("IoU", "Dice", "Precision", "Recall"):
        ours = [scores[f"{name}.{class_name}"] / 100 for class_name in CLASSES]
        np.testing.assert_allclose(ours, reference[name], rtol=0, atol=1e-6)
    for name in ("IoU", "Acc", "Dice", "Fscore", "Precision", "Recall"):
        assert scores[f"m{name}"] / 100 == pytest.approx(reference[name].mean(), abs=1e-6)


def test_returns_means_and_four_scores_a_class_as_plain_floats():
    reference = np.load(REFERENCE)
    scores = evaluate(reference["labels"], reference["predictions"])

    per_class = [f"{n}.{c}" for c in CLASSES for n in ("IoU", "Dice", "Precision", "Recall")]
    assert list(scores) == [*MEANS, *per_class]
    assert {type(value) for value in scores.values()} == {float}
    assert scores["mIoU"] != round(scores["mIoU"], 2)  # rounded in the table only


@pytest.mark.parametrize("seed", range(5))
def test_means_equal_mmseg_where_classes_are_missing(seed):
    """Class 2 is never predicted, class 3 is not in the truth, class 4 in neither."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 2, 255], (3, 12, 15)).astype(np.uint8)
    predictions = rng.choice([0, 1, 3], (3, 12, 15))
    theirs = IoUMetric(iou_metrics=["mIoU", "mDice", "mFscore"], prefix="stock")
    theirs.dataset_meta = {"classes": CLASSES[:5]}
    for label, prediction in zip(labels, predictions, strict=True):
        theirs.process({}, [make_sample(label, prediction)])
    expected = theirs.evaluate(size=3)

    scores = evaluate(labels, predictions, classes=CLASSES[:5])

    for name in MEANS:
        if name != "mFscore":  # mmseg drops classes without a hit from it
            assert scores[name] == pytest.approx(expected[f"stock/{name}"], abs=0.0051), name
    assert scores["mFscore"] == scores["mDice"]


def test_undefined_scores_have_no_key_and_the_log_names_their_classes_once(log_records):
    scores = evaluate([[[0, 0, 1, 1]]] * 2, [[[0, 2, 0, 0]]] * 2, classes=CLASSES[:4])

    missing = {f"{n}.{c}" for c in CLASSES[:4] for n in ("IoU", "Dice", "Precision", "Recall")}
    missing -= set(scores)
    assert missing == {
        "Precision.Super",
        "Recall.Incomplete",
        *(f"{name}.Hopping" for name in ("IoU", "Dice", "Precision", "Recall")),
    }
    assert not any(np.isnan(value) for value in scores.values())
    warnings = [r.getMessage() for r in log_records if r.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "Hopping in neither ground truth nor predictions" in warnings[0]
    assert "Incomplete not in the ground truth" in warnings[1]
    infos = "\n".join(r.getMessage() for r in log_records if r.levelno == logging.INFO)
    assert "Super never predicted" in infos
    json.dumps(scores, allow_nan=False)


def test_table_shows_each_class_rounded(log_records):
    evaluate([[[0, 0, 0, 1]]], [[[0, 0, 1, 1]]], classes=("Background", "Super", "Lattice"))

    table = log_records[0].getMessage()
    rows = [
        [c.strip() for c in line.split("|")[1:-1]] for line in table.splitlines() if "|" in line
    ]
    assert rows == [
        ["Class", "IoU", "Dice", "Precision", "Recall", "Pixels"],
        ["Background", "66.67", "80.00", "100.00", "66.67", "3"],
        ["Super", "50.00", "66.67", "50.00", "100.00", "1"],
        ["Lattice", "-", "-", "-", "-", "0"],
        ["mean (aAcc 75.00)", "58.33", "73.33", "75.00", "83.33", "4"],
    ]


def test_what_ranks_exchange_is_small_and_summed():
    metric = SegmentationMetric()
    metric.dataset_meta = {"classes": CLASSES[:2]}
    metric.process({}, [make_sample([[0, 1]], [[0, 0]]), make_sample([[1, 1]], [[1, 1]])])

    assert [r.shape for r in metric.results] == [(2, 2), (2, 2)]
    assert [r.dtype for r in metric.results] == [np.int64, np.int64]
    assert metric.evaluate(size=2)["Recall.Super"] == pytest.approx(100 * 2 / 3)
    assert metric.results == []


def test_images_that_the_sampler_padded_are_not_counted_twice():
    metric = SegmentationMetric()
    metric.dataset_meta = {"classes": CLASSES[:2]}
    metric.process({}, [make_sample([[0, 1]], [[0, 0]]), make_sample([[1, 1]], [[1, 1]])])

    assert metric.evaluate(size=1)["aAcc"] == 50.0


def test_label_outside_the_classes_names_the_mask():
    metric = SegmentationMetric()
    metric.dataset_meta = {"classes": CLASSES}
    sample = make_sample([[0, 9]], [[0, 0]], mask="data/masks/val/layer_7.png")
    with pytest.raises(ValueError, match=r"data/masks/val/layer_7\.png: value\(s\) 9 .*6 classes"):
        metric.process({}, [sample])


def test_prediction_outside_the_classes_names_the_image():
    metric = SegmentationMetric()
    metric.dataset_meta = {"classes": CLASSES}
    with pytest.raises(ValueError, match=r"data/images/val/layer_7\.png: value\(s\) 6 "):
        metric.process({}, [make_sample([[0, 0]], [[0, 6]])])


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(ValueError, match="No pixel was counted"):
        evaluate([], [])
    with pytest.raises(ValueError, match="No pixel was counted"):
        evaluate([[[255, 255]]], [[[0, 0]]])


def test_writes_predicted_masks(tmp_path):
    out = tmp_path / "new" / "masks"
    evaluate([[[0, 1]]], [[[3, 5]]], output_dir=str(out), keep_results=True)

    assert [path.name for path in out.iterdir()] == ["layer_7.png"]
    assert cv2.imread(str(out / "layer_7.png"), cv2.IMREAD_UNCHANGED).tolist() == [[3, 5]]


def test_is_registered_and_silent_about_its_prefix(log_records):
    metric = METRICS.build({"type": "mmseg.SegmentationMetric"})
    assert isinstance(metric, SegmentationMetric)
    assert [r.getMessage() for r in log_records if r.levelno >= logging.WARNING] == []


def test_masks_that_would_overwrite_each_other_are_an_error_that_names_both(tmp_path):
    metric = SegmentationMetric(output_dir=tmp_path)
    assert metric._mask_file("camA/1.png") == metric._mask_file("camA/1.png") == tmp_path / "1.png"
    with pytest.raises(ValueError, match=r"camB/1\.png: .* overwrite .*1\.png, .* of camA/1\.png"):
        metric._mask_file("camB/1.png")
    metric.image_root = Path()
    assert metric._mask_file("camB/1.png") == tmp_path / "camB" / "1.png"
