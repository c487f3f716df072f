from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from lwam_mm.evaluation.scores import confusion_matrix
from lwam_mm.lab.inspection.find_errors import find_errors
from lwam_mm.lab.inspection.precision_recall import PrecisionRecall
from lwam_mm.utils.errors import UserError

CLASSES = ("Background", "Super", "Lattice")
SIZE = 8


class Certain:
    """A segmentor that answers as it is told, image by image, and keeps what it was given."""

    def __init__(self, labels, sureness=3.0, outputs=3) -> None:
        self.labels, self.sureness, self.outputs, self.seen = labels, sureness, outputs, []

    def test_step(self, batch):
        (sample,) = batch["data_samples"]
        self.seen.append("pred_sem_seg" in sample or "pad" in sample.metainfo)
        labels = torch.from_numpy(self.labels[sample.number]).long()
        logits = self.sureness * torch.nn.functional.one_hot(labels, self.outputs).permute(2, 0, 1)
        sample.set_metainfo(dict(pad=1))
        sample.seg_logits = PixelData(data=logits)
        sample.pred_sem_seg = PixelData(data=labels[None])
        return [sample]


@pytest.fixture
def truths() -> np.ndarray:
    return np.random.default_rng(0).choice([0, 1, 2, 255], (4, SIZE, SIZE)).astype(np.uint8)


@pytest.fixture
def dataset(truths, tmp_path):
    items = []
    for number, truth in enumerate(truths):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((SIZE, SIZE, 3), 10 * number, np.uint8))
        sample = SegDataSample(metainfo=dict(img_path=str(path), number=number))
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(truth)[None].long())
        items.append(dict(inputs=torch.zeros(3, SIZE, SIZE), data_samples=sample))
    return items


def right(truths) -> np.ndarray:
    return np.where(truths == 255, 0, truths)


def test_counts_are_those_of_all_images(dataset, truths):
    student, teacher = right(truths), right(truths)
    student[0] = 0
    findings = find_errors(
        dict(student=Certain(student), teacher=Certain(teacher)), "student", dataset, CLASSES, 2
    )
    assert (findings.images, findings.unlabelled) == (4, 0)
    for name, labels in (("student", student), ("teacher", teacher)):
        expected = sum(confusion_matrix(t, p, 3) for t, p in zip(truths, labels, strict=True))
        np.testing.assert_array_equal(findings.confusion[name], expected)
    assert np.trace(findings.confusion["teacher"]) == (truths != 255).sum()
    assert findings.precision_recall["teacher"].curve(1).average_precision == 1


def test_probabilities_are_the_softmax(dataset, truths):
    findings = find_errors(
        dict(student=Certain(right(truths), 1.0)), "student", dataset, CLASSES, 0
    )
    sure = float(np.exp(1) / (np.exp(1) + 2))
    expected = PrecisionRecall(3)
    for truth in truths:
        hot = right(truth) == np.arange(3)[:, None, None]
        expected.add(np.where(hot, sure, (1 - sure) / 2), truth)
    for index in range(3):
        np.testing.assert_array_equal(
            findings.precision_recall["student"].curve(index).precision,
            expected.curve(index).precision,
        )
    assert findings.worst == []


def test_worst_first_with_their_pictures(dataset, truths):
    student, teacher = right(truths), right(truths)
    student[3] = 0  # two classes missed
    student[1][truths[1] == 2] = 0  # one
    findings = find_errors(
        dict(student=Certain(student), teacher=Certain(teacher)), "student", dataset, CLASSES, 3
    )
    assert [image.sample.name for image in findings.worst[:2]] == ["3.png", "1.png"]
    assert findings.worst[2].score == 100
    worst = findings.worst[0]
    assert worst.iou[1] == worst.iou[2] == 0
    assert worst.score == pytest.approx(worst.iou.mean())
    assert worst.score == pytest.approx(100 * (truths[3] == 0).sum() / (truths[3] != 255).sum() / 3)
    assert (worst.sample.image == 30).all()
    np.testing.assert_array_equal(worst.sample.truth, truths[3])
    np.testing.assert_array_equal(worst.sample.predictions["student"], student[3])
    np.testing.assert_array_equal(worst.sample.predictions["teacher"], teacher[3])


def test_score_looks_at_the_classes_that_are_there(dataset, truths):
    truths[:] = 0
    for item in dataset:
        item["data_samples"].gt_sem_seg.data[:] = 0
    student = np.zeros_like(truths)
    student[2, 0] = 1  # a class that is not in the truth, on an eighth of the image
    findings = find_errors(dict(student=Certain(student)), "student", dataset, CLASSES, 1)
    (worst,) = findings.worst
    assert worst.score == pytest.approx((100 * 7 / 8 + 0) / 2)
    assert np.isnan(worst.iou[2])


def test_image_without_labels_has_no_score(dataset, truths):
    dataset[1]["data_samples"].gt_sem_seg.data[:] = 255
    findings = find_errors(dict(student=Certain(right(truths))), "student", dataset, CLASSES, 9)
    assert findings.unlabelled == 1
    assert len(findings.worst) == 3


def test_segmentors_do_not_see_each_others_answers(dataset, truths):
    first, second = Certain(right(truths)), Certain(right(truths))
    find_errors(dict(a=first, b=second), "a", dataset, CLASSES, 1)
    assert first.seen == second.seen == [False] * 4


def test_progress(dataset, truths):
    said = []
    find_errors(
        dict(student=Certain(right(truths))), "student", dataset, CLASSES, 1,
        lambda *numbers: said.append(numbers),
    )  # fmt: skip
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_refusals(dataset, truths):
    other = Certain(right(truths), outputs=5)
    with pytest.raises(UserError, match=r"the teacher has 5 classes, the data set has 3"):
        find_errors(dict(teacher=other), "teacher", dataset, CLASSES, 1)
    with pytest.raises(UserError, match="has no images"):
        find_errors(dict(student=other), "student", [], CLASSES, 1)
    del dataset[0]["data_samples"].gt_sem_seg
    with pytest.raises(UserError, match=r"0\.png: has no truth to compare with; name the folder"):
        find_errors(dict(student=other), "student", dataset, CLASSES, 1)
