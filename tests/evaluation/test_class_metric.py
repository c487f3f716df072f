from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub

import lwam_mm.plugin  # noqa: F401  repairs mmcv before mmseg is imported
from lwam_mm.evaluation.class_metric import ClassMetric
from lwam_mm.evaluation.segmentation_metric import SegmentationMetric

CLASSES = ("Background", "Super")


def make_sample(label, prediction, **files):
    return {
        "pred_sem_seg": {"data": torch.as_tensor(prediction)[None]},
        "gt_sem_seg": {"data": torch.as_tensor(label)[None]},
        **files,
    }


class Recorder(ClassMetric):
    """Counts nothing; keeps what it was given."""

    def count(self, *given):
        return given

    def compute_metrics(self, results):
        return {}


def evaluate(label, prediction, **options):
    metric = SegmentationMetric(**options)
    metric.dataset_meta = {"classes": CLASSES}
    metric.process({}, [make_sample(label, prediction)])
    return metric.evaluate(size=1)


def test_each_image_is_counted_with_the_names_of_its_files():
    metric = Recorder()
    files = dict(img_path="images/7.png", seg_map_path="masks/7.png")
    metric.process({}, [make_sample([[0, 1]], [[1, 1]], **files), make_sample([[1]], [[0]])])
    (truth, prediction, *names), (_, _, *unknown) = metric.results
    np.testing.assert_array_equal(truth, [[0, 1]])
    np.testing.assert_array_equal(prediction, [[1, 1]])
    assert names == ["masks/7.png", "images/7.png"]
    assert unknown == ["ground truth of an image without img_path", "an image without img_path"]


def test_sample_without_truth_names_the_image():
    metric = SegmentationMetric()
    metric.dataset_meta = {"classes": CLASSES}
    sample = make_sample([[0]], [[0]], img_path="data/images/val/layer_7.png")
    del sample["gt_sem_seg"]
    with pytest.raises(ValueError, match=r"layer_7\.png has no ground truth.*LoadAnnotations"):
        metric.process({}, [sample])


def test_dataset_without_class_names_is_an_error():
    metric = SegmentationMetric()
    with pytest.raises(ValueError, match="METAINFO"):
        metric.process({}, [make_sample([[0]], [[0]])])


def test_a_left_out_score_is_not_logged_from_an_older_evaluation():
    hub = MessageHub.get_instance("left_out")  # the current one from here on
    for key in ("val/IoU.Super", "val/teacher.IoU.Super", "train/IoU.Super", "val/IoU.Background"):
        hub.update_scalar(key, 12.0)

    evaluate([[0, 0]], [[0, 0]])

    left = sorted(name for name in hub.log_scalars if ".IoU." in name or "/IoU." in name)
    assert left == ["train/IoU.Super", "val/IoU.Background"]


def test_prefix_is_put_before_keys():
    scores = evaluate([[0, 1]], [[0, 1]], prefix="tile")
    assert scores["tile/mIoU"] == scores["tile/IoU.Super"] == 100.0
