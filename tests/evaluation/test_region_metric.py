import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmseg.registry import METRICS

from lwam_mm.evaluation.region_metric import RegionMetric

CLASSES = ("Background", "Crack", "Pore")


def evaluate(pairs, **options):
    metric = RegionMetric(**options)
    metric.dataset_meta = {"classes": CLASSES}
    for truth, prediction in pairs:
        metric.process({}, [make_sample(truth, prediction)])
    return metric.evaluate(size=len(pairs))


def make_sample(truth, prediction):
    return {
        "gt_sem_seg": {"data": torch.as_tensor(np.array(truth, np.uint8))[None]},
        "pred_sem_seg": {"data": torch.as_tensor(np.array(prediction, np.int64))[None]},
        "img_path": "layer_7.png",
    }


def row(*cells):
    return [list(cells)]


def test_found_and_false_at_both_shares():
    """A crack of ten pixels of which two are found; one of two findings lies on nothing."""
    truth = row(*[1] * 10, 0, 0, 0, 0, 0)
    prediction = row(1, 1, *[0] * 9, 0, 0, 1, 1)
    scores = evaluate([(truth, prediction)])
    assert scores["RegionRecall10"] == scores["RegionRecall10.Crack"] == 100
    assert scores["RegionRecall50"] == 0
    assert scores["FalseRegions10"] == scores["FalseRegions50"] == 1
    assert scores["FalseRegions10.Pore"] == 0
    assert "RegionRecall10.Pore" not in scores


def test_a_share_is_reached_not_only_passed():
    truth = row(*[1] * 10)
    assert evaluate([(truth, row(*[1] * 3, *[0] * 7))], shares=[0.3])["RegionRecall30"] == 100
    assert evaluate([(truth, row(*[1] * 2, *[0] * 8))], shares=[0.3])["RegionRecall30"] == 0


def test_a_blob_may_find_a_small_defect_and_be_false():
    truth = row(1, *[0] * 19)
    scores = evaluate([(truth, row(*[1] * 20))])
    assert scores["RegionRecall50"] == 100
    assert scores["FalseRegions10"] == 1


def test_false_regions_are_an_image_and_recall_is_over_all_images():
    hit = (row(1, 0, 2), row(1, 0, 0))
    miss = (row(0, 0, 2), row(1, 0, 1))
    scores = evaluate([hit, miss])
    assert scores["RegionRecall10"] == pytest.approx(100 / 3)
    assert scores["FalseRegions10"] == 1  # two, in two images
    assert scores["FalseRegions10.Crack"] == 1
    assert scores["RegionRecall10.Crack"] == 100
    assert scores["RegionRecall10.Pore"] == 0


def test_another_class_finds_the_defect_but_not_the_region():
    scores = evaluate([(row(0, 1, 1), row(0, 2, 2))])
    assert scores["RegionRecall10"] == 0
    assert scores["FalseRegions10"] == 1
    assert scores["DefectRecall10"] == scores["DefectRecall50"] == 100
    assert scores["FalseDefects10"] == 0


def test_diagonal_neighbours_are_one_region():
    truth = [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    scores = evaluate([(truth, [[1, 0, 0], [0, 0, 0], [0, 0, 0]])])
    assert scores["RegionRecall50"] == 100  # half of one region, not one of two


def test_small_regions_neither_count_nor_make_a_finding_false():
    truth = row(1, 0, 2, 2, 2)
    prediction = row(1, 1, 1, 0, 1)
    scores = evaluate([(truth, prediction)], min_area=3, shares=[0.3])
    assert "RegionRecall30.Crack" not in scores
    assert scores["RegionRecall30.Pore"] == 0
    assert scores["FalseRegions30"] == 0  # the three-pixel finding has a third on the small crack


def test_ignored_pixels_count_nowhere_and_part_nothing():
    truth = row(255, 255, 255, 0, 1, 255, 1)
    prediction = row(1, 1, 0, 0, 0, 1, 1)
    scores = evaluate([(truth, prediction)])
    # The first finding lies on ignored pixels only; of the second, its one counted pixel is true.
    assert scores["FalseRegions50"] == scores["FalseDefects50"] == 0
    assert scores["RegionRecall50"] == 50


def test_a_class_without_regions_is_forgotten():
    history = MessageHub.get_current_instance()
    history.update_scalar("val/RegionRecall10.Crack", 50.0)
    evaluate([(row(0, 2), row(0, 2))])
    assert "val/RegionRecall10.Crack" not in history.log_scalars


def test_the_log_has_a_table():
    logger, records = MMLogger.get_current_instance(), []
    handler = logging.Handler(logging.INFO)
    handler.emit = records.append
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        evaluate([(row(0, 1), row(1, 0)), (row(0, 0), row(0, 0))])
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    lines = records[0].getMessage().splitlines()
    (crack,) = [line for line in lines if "Crack" in line]
    cells = [cell.strip() for cell in crack.split("|")[1:-1]]
    assert cells == ["Crack", "1", "0", "0.50", "0", "0.50"]


@pytest.mark.parametrize(
    "wrong", [dict(shares=[]), dict(shares=[1.5]), dict(shares=[0.0]), dict(min_area=0)]
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RegionMetric(**wrong)


def test_another_size_and_a_missing_truth_are_errors_that_name_the_image():
    metric = METRICS.build(dict(type="RegionMetric"))
    metric.dataset_meta = {"classes": CLASSES}
    with pytest.raises(ValueError, match=r"layer_7\.png"):
        metric.process({}, [make_sample(row(0, 1), row(0, 1, 0))])
    sample = make_sample(row(0), row(0))
    del sample["gt_sem_seg"]
    with pytest.raises(ValueError, match=r"layer_7\.png has no ground truth"):
        metric.process({}, [sample])
