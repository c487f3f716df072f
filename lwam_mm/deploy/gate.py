"""The gate: a bundle is written only if it was seen to be the trained model.

On real images of the validation set the stages of the road are compared pairwise: the multi-branch
net as trained, the folded net, the exported float bundle, the exported INT8 bundle.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields

import numpy as np

from lwam_mm.deploy.compared_models import Sample, Seen, Stage
from lwam_mm.evaluation.scores import confusion_matrix, confusion_to_metrics
from lwam_mm.utils.errors import UserError

MULTI_BRANCH, FOLDED, FLOAT, INT8 = "multi-branch", "folded", "exported", "INT8"


class GateError(UserError, RuntimeError):
    """A stage differs from the one before it by more than the limits allow; no bundle is written.

    Attributes:
        report: the figures.
    """

    def __init__(self, report: GateReport) -> None:
        self.report = report
        super().__init__(
            f"{report}\n\nThe exported model is not the trained one:\n  "
            + "\n  ".join(report.failures)
            + "\nNo bundle was written."
        )


@dataclass(frozen=True)
class Limits:
    """How far a stage may lie from the one before it; None where that does not matter.

    Attributes:
        logits: largest difference of logits, relative where a logit is above 1.
        agreement: least share of pixels with the same label, in percent.
        miou: largest loss of mIoU, in percent of mIoU (0..100).
        class_iou: largest loss of any class's IoU, likewise.
    """

    logits: float | None = None
    agreement: float | None = None
    miou: float | None = None
    class_iou: float | None = None


@dataclass(frozen=True)
class Difference:
    """How a stage differs from an earlier one, over all images.

    Attributes:
        earlier: name of the stage that is compared with.
        later: name of the stage in question.
        largest: largest difference of logits, relative where the earlier logit is above 1.
        mean: mean of these differences.
        agreement: share of pixels with the same label, in percent.
        miou: change of mIoU, later minus earlier, in percent of mIoU.
        class_iou: change of each class's IoU, likewise; None for classes that no truth shows.
    """

    earlier: str
    later: str
    largest: float
    mean: float
    agreement: float
    miou: float
    class_iou: dict[str, float | None]

    def failures(self, limits: Limits) -> list[str]:
        """Say in a sentence each by how much which limit was broken."""
        pair = f"{self.later} against {self.earlier}"
        broken = []
        # Written so that NaN fails too.
        if limits.logits is not None and not self.largest <= limits.logits:
            broken.append(f"{pair}: logits differ by {self.largest:.3g}, allowed {limits.logits:g}")
        if limits.agreement is not None and not self.agreement >= limits.agreement:
            broken.append(
                f"{pair}: {self.agreement:.3f} % of the pixels agree, at least "
                f"{limits.agreement:g} % have to"
            )
        if limits.miou is not None and not -self.miou <= limits.miou:
            broken.append(f"{pair}: mIoU falls by {-self.miou:.2f}, allowed {limits.miou:g}")
        if limits.class_iou is not None:
            broken += [
                f"{pair}: IoU of {name} falls by {-change:.2f}, allowed {limits.class_iou:g}"
                for name, change in self.class_iou.items()
                if change is not None and not -change <= limits.class_iou
            ]
        return broken


@dataclass
class GateReport:
    """What the gate saw.

    Attributes:
        images: number of images.
        stages: name of each stage -> its mIoU and IoU of each class, in percent.
        differences: each pair of stages.
        failures: the limits that were broken; empty if the bundle may pass.
    """

    images: int
    stages: dict[str, dict[str, float | None]]
    differences: list[Difference]
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        pairs = [["stage", "against", "logits max", "mean", "agree %", "mIoU", "worst class"]]
        for d in self.differences:
            changes = {name: v for name, v in d.class_iou.items() if v is not None}
            worst = min(changes, key=changes.get, default=None)
            pairs.append(
                [
                    *(d.later, d.earlier, f"{d.largest:.2e}", f"{d.mean:.2e}"),
                    *(f"{d.agreement:.3f}", f"{d.miou:+.2f}"),
                    "-" if worst is None else f"{worst} {changes[worst]:+.2f}",
                ]
            )
        classes = list(next(iter(self.stages.values())))
        scores = [["IoU %", *classes]] + [
            [name, *("-" if v is None else f"{v:.2f}" for v in values.values())]
            for name, values in self.stages.items()
        ]
        return f"{_columns(scores)}\n\n{_columns(pairs)}\n({self.images} validation images)"

    def to_json(self) -> dict:
        """Return the figures as plain dicts and lists, for the bundle."""
        return dict(
            images=self.images,
            stages=self.stages,
            differences=[asdict(difference) for difference in self.differences],
        )


def run_gate(
    stages: Mapping[str, Stage],
    samples: Iterable[Sample],
    classes: tuple[str, ...],
    limits: Mapping[str, Limits],
    progress: Callable[[int], None] = lambda done: None,
) -> GateReport:
    """Compare the stages on the images.

    Args:
        stages: in the order of the road.
        samples: the labelled images.
        classes: class names in index order.
        limits: of a stage against the one before it, by the later stage's name.
        progress: called with the number of images done.

    Returns:
        The report, with whatever limit was broken among its ``failures``.

    Raises:
        UserError: there is no image.
    """
    count = len(classes)
    pairs = list(itertools.combinations(stages, 2))
    confusions = {name: np.zeros((count, count), np.int64) for name in stages}
    largest, total, same = (dict.fromkeys(pairs, 0.0) for _ in range(3))
    pixels, images = 0, 0
    for sample in samples:
        seen = {name: stage(sample) for name, stage in stages.items()}
        for name in stages:
            confusions[name] += confusion_matrix(
                sample.truth,
                seen[name].labels,
                count,
                label_name=f"truth of {sample.path}",
                prediction_name=str(sample.path),
            )
        for pair in pairs:
            worst, mean, equal = _compare(*(seen[name] for name in pair))
            largest[pair] = _max(largest[pair], worst)
            total[pair] += mean * sample.truth.size
            same[pair] += equal
        pixels += sample.truth.size
        images += 1
        progress(images)
    if not images:
        raise UserError("the gate needs at least one validation image: the split is empty")
    iou = {name: _iou(confusion, classes) for name, confusion in confusions.items()}
    differences = [
        Difference(
            earlier=a,
            later=b,
            largest=largest[a, b],
            mean=total[a, b] / pixels,
            agreement=100 * same[a, b] / pixels,
            miou=iou[b]["mIoU"] - iou[a]["mIoU"],
            class_iou={c: None if iou[a][c] is None else iou[b][c] - iou[a][c] for c in classes},
        )
        for a, b in pairs
    ]
    report = GateReport(images, iou, differences)
    for earlier, later in itertools.pairwise(stages):
        difference = next(d for d in differences if (d.earlier, d.later) == (earlier, later))
        report.failures += difference.failures(limits.get(later, Limits()))
    return report


def read_limits(settings: Mapping[str, Mapping[str, float]]) -> dict[str, Limits]:
    """Read a deploy config's ``gate`` limits: stage -> name of the limit -> value.

    Raises:
        UserError: a stage or a limit has a name that there is not.
    """
    stages = {"folded": FOLDED, "exported": FLOAT, "int8": INT8}
    known = [f.name for f in fields(Limits)]
    for stage, limits in settings.items():
        if stage not in stages:
            raise UserError(f"gate.limits.{stage}: no such stage; there are {list(stages)}")
        for name in limits:
            if name not in known:
                raise UserError(f"gate.limits.{stage}.{name}: no such limit; there are {known}")
    return {stages[stage]: Limits(**limits) for stage, limits in settings.items()}


def _compare(earlier: Seen, later: Seen) -> tuple[float, float, int]:
    if earlier.logits.shape != later.logits.shape:
        raise UserError(
            f"one stage gives logits of shape {earlier.logits.shape}, the next "
            f"{later.logits.shape}: the exported model has other classes"
        )
    scale = np.maximum(1, np.abs(earlier.logits))
    difference = np.abs(later.logits - earlier.logits) / scale
    equal = int((earlier.labels == later.labels).sum())
    return float(difference.max()), float(difference.mean()), equal


def _max(a: float, b: float) -> float:
    """Return the larger; NaN if one is, where Python's ``max`` goes by the order."""
    return float(np.maximum(a, b))


def _iou(confusion: np.ndarray, classes: tuple[str, ...]) -> dict[str, float | None]:
    """Return mIoU and IoU in percent over the classes that the truth shows."""
    scores = confusion_to_metrics(confusion).iou
    shown = confusion.sum(axis=1) > 0
    values = {
        name: float(score) if there else None
        for name, score, there in zip(classes, scores, shown, strict=True)
    }
    return {"mIoU": float(np.mean(scores[shown])) if shown.any() else 0.0, **values}


def _columns(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if index else text.ljust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
