"""The gate: a bundle is written only if it reproduces the trained model.

The stages of the export are compared on real images of the validation set: the multi-branch net as
trained, the folded net, the exported float bundle and the exported INT8 bundle.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

import numpy as np
from prettytable import PrettyTable

from lwam_mm.deploy.compared_models import LabelledImage, Stage, StageOutput
from lwam_mm.evaluation.scores import confusion_matrix, confusion_to_metrics
from lwam_mm.models.training_record import TrainingRecord
from lwam_mm.utils.errors import UserError

MULTI_BRANCH, FOLDED, FLOAT, INT8 = "multi-branch", "folded", "exported", "INT8"


class GateError(UserError, RuntimeError):
    """A stage differs from the one before it by more than the limits; no bundle is written.

    Attributes:
        report: The figures.
    """

    def __init__(self, report: GateReport) -> None:
        self.report = report
        super().__init__(
            f"{report}\n\nThe exported model does not reproduce the trained one:\n  "
            + "\n  ".join(report.failures)
            + "\nNo bundle was written."
        )


@dataclass(frozen=True)
class Limits:
    """How far a stage may differ from the one before it; None means any distance.

    Attributes:
        logits: Largest difference of logits, relative where a logit is above 1.
        agreement: Smallest share of pixels with the same label, in percent.
        miou: Largest loss of mIoU, in percent of mIoU (0..100).
        class_iou: Largest loss of any class's IoU, likewise.
    """

    logits: float | None = None
    agreement: float | None = None
    miou: float | None = None
    class_iou: float | None = None


@dataclass(frozen=True)
class Difference:
    """How a stage differs from an earlier one, over all images.

    Attributes:
        earlier: Name of the stage that is compared with.
        later: Name of the stage in question.
        largest: Largest difference of logits, relative where the earlier logit is above 1.
        mean: Mean of these differences.
        agreement: Share of pixels with the same label, in percent.
        miou: Change of mIoU, later minus earlier, in percent of mIoU.
        class_iou: Change of each class's IoU, likewise; None for classes that no mask shows.
    """

    earlier: str
    later: str
    largest: float
    mean: float
    agreement: float
    miou: float
    class_iou: dict[str, float | None]

    @property
    def worst_class(self) -> str:
        """The class whose IoU falls most, and by how much."""
        changes = {name: value for name, value in self.class_iou.items() if value is not None}
        worst = min(changes, key=changes.get)
        return f"{worst} {changes[worst]:+.2f}"

    def failures(self, limits: Limits) -> list[str]:
        """Return one sentence for each limit that is exceeded."""
        pair = f"{self.later} against {self.earlier}"
        exceeded = []
        # Written so that NaN fails too.
        if limits.logits is not None and not self.largest <= limits.logits:
            exceeded.append(
                f"{pair}: logits differ by {self.largest:.3g}, allowed {limits.logits:g}"
            )
        if limits.agreement is not None and not self.agreement >= limits.agreement:
            exceeded.append(
                f"{pair}: {self.agreement:.3f} % of the pixels agree, at least "
                f"{limits.agreement:g} % have to"
            )
        losses = {"mIoU": (self.miou, limits.miou)} | {
            f"IoU of {name}": (change, limits.class_iou) for name, change in self.class_iou.items()
        }
        exceeded += [
            f"{pair}: {name} falls by {-change:.2f}, allowed {limit:g}"
            for name, (change, limit) in losses.items()
            if None not in (change, limit) and not -change <= limit
        ]
        return exceeded


@dataclass
class GateReport:
    """What the gate measured.

    Attributes:
        images: Number of images.
        stages: Name of each stage -> its mIoU and the IoU of each class, in percent; None for a
            class that no mask shows.
        differences: Each pair of stages.
        failures: The limits that were exceeded; empty if the bundle may be written.
        remembered: The mIoU of the validation in training and its number of images, if known.
    """

    images: int
    stages: dict[str, dict[str, float | None]]
    differences: list[Difference]
    failures: list[str] = field(default_factory=list)
    remembered: dict[str, float | None] = field(default_factory=dict)

    def __str__(self) -> str:
        scores = _table(["IoU %", *next(iter(self.stages.values()))])
        for name, values in self.stages.items():
            scores.add_row([name, *("-" if v is None else f"{v:.2f}" for v in values.values())])
        pairs = _table(["stage", "against", "logits max", "mean", "agree %", "mIoU", "worst class"])
        for d in self.differences:
            figures = f"{d.largest:.2e}", f"{d.mean:.2e}", f"{d.agreement:.3f}", f"{d.miou:+.2f}"
            pairs.add_row([d.later, d.earlier, *figures, d.worst_class])
        note = f"{self.images} validation images"
        if self.remembered:
            note += f"; in training, mIoU was {_remembered(self)}"
        return f"{scores}\n\n{pairs}\n({note})"

    def to_json(self) -> dict:
        """Return the figures as plain dicts and lists, for the bundle."""
        figures = asdict(self)
        del figures["failures"]
        if not self.remembered:
            del figures["remembered"]
        return figures


def run_gate(
    stages: Mapping[str, Stage],
    images: Sequence[LabelledImage],
    classes: tuple[str, ...],
    limits: Mapping[str, Limits],
    progress: Callable[[str], None] = lambda line: None,
) -> GateReport:
    """Compare the stages on the images.

    Args:
        stages: By name, in the order of the export.
        images: The labelled images.
        classes: Class names in index order.
        limits: Of a stage against the one before it, by the later stage's name.
        progress: Called with one line of text now and then.

    Returns:
        The report; its ``failures`` name each limit that was exceeded.

    Raises:
        UserError: There is no image, or no pixel of any image has a label.
    """
    count = len(classes)
    pairs = list(itertools.combinations(stages, 2))
    confusions = {name: np.zeros((count, count), np.int64) for name in stages}
    largest, total, same = (dict.fromkeys(pairs, 0.0) for _ in range(3))
    pixels = 0
    for done, image in enumerate(images, 1):
        outputs = {name: stage(image) for name, stage in stages.items()}
        for name, output in outputs.items():
            confusions[name] += confusion_matrix(
                image.truth,
                output.labels,
                count,
                label_name=f"mask of {image.path}",
                prediction_name=str(image.path),
            )
        for earlier, later in pairs:
            difference = _difference(outputs[earlier], outputs[later])
            # NaN wins, where Python's max would depend on the order.
            largest[earlier, later] = np.maximum(largest[earlier, later], difference.max())
            total[earlier, later] += difference.mean() * image.truth.size
            same[earlier, later] += np.sum(outputs[earlier].labels == outputs[later].labels)
        pixels += image.truth.size
        if done % 20 == 0 and done < len(images):
            progress(f"  {done} of {len(images)}")
    if not any(confusion.any() for confusion in confusions.values()):
        raise UserError(
            f"the gate needs at least one validation image with a labelled pixel: in the masks of "
            f"the {len(images)} images of val_dataloader's data set every pixel is 255 (ignore). "
            "Add labelled images, or give another data set"
        )
    iou = {name: _iou(confusion, classes) for name, confusion in confusions.items()}
    differences = {
        (a, b): Difference(
            earlier=a,
            later=b,
            largest=float(largest[a, b]),
            mean=float(total[a, b] / pixels),
            agreement=float(100 * same[a, b] / pixels),
            miou=iou[b]["mIoU"] - iou[a]["mIoU"],
            class_iou={c: None if iou[a][c] is None else iou[b][c] - iou[a][c] for c in classes},
        )
        for a, b in pairs
    }
    report = GateReport(len(images), iou, list(differences.values()))
    for pair in itertools.pairwise(stages):
        report.failures += differences[pair].failures(limits.get(pair[1], Limits()))
    return report


def compare_with_training(
    report: GateReport,
    record: TrainingRecord,
    limit: float | None,
    stages: Mapping[str, Stage],
    all_images: Sequence[LabelledImage],
) -> None:
    """Add a failure to a report if the multi-branch net scores far below its training's validation.

    A part of the images can score far from all of them, so a low score is measured again on all.
    ``limit`` is how far mIoU may be below the remembered one; None for any distance.
    """
    if record.miou is None:
        return
    report.remembered = dict(mIoU=record.miou, images=record.images)
    least = -math.inf if limit is None else record.miou - limit
    name, *classes = report.stages[MULTI_BRANCH]
    measured = report
    if report.stages[MULTI_BRANCH][name] < least and len(all_images) > report.images:
        stage = {MULTI_BRANCH: stages[MULTI_BRANCH]}
        measured = run_gate(stage, all_images, tuple(classes), {})
    miou = measured.stages[MULTI_BRANCH][name]
    if not miou >= least:
        report.failures.append(
            f"{MULTI_BRANCH} against its training: mIoU is {miou:.2f} on {measured.images} "
            f"validation images, in training it was {_remembered(report)}; a loss of {limit:g} is "
            "allowed. Check that data and test pipeline are those of the training, or pass "
            "--accept-mismatch if the difference is intended"
        )


def read_limits(settings: Mapping[str, Mapping[str, float]]) -> dict[str, Limits]:
    """Read a deploy config's ``gate.limits``: stage -> name of the limit -> value.

    Raises:
        UserError: There is no such stage or limit.
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


def _difference(earlier: StageOutput, later: StageOutput) -> np.ndarray:
    """Return the differences of logits, relative where the earlier logit is above 1."""
    if earlier.logits.shape != later.logits.shape:
        raise UserError(
            f"one stage gives logits of shape {earlier.logits.shape}, the next "
            f"{later.logits.shape}: the exported model has other classes"
        )
    return np.abs(later.logits - earlier.logits) / np.maximum(1, np.abs(earlier.logits))


def _iou(confusion: np.ndarray, classes: tuple[str, ...]) -> dict[str, float | None]:
    """Return mIoU and IoU in percent over the classes that the masks show."""
    scores = confusion_to_metrics(confusion).iou
    shown = confusion.sum(axis=1) > 0
    values = {
        name: float(score) if there else None
        for name, score, there in zip(classes, scores, shown, strict=True)
    }
    return {"mIoU": float(np.mean(scores[shown])), **values}


def _remembered(report: GateReport) -> str:
    images = report.remembered["images"]
    return f"{report.remembered['mIoU']:.2f}" + (f" on {images}" if images else "")


def _table(head: list[str]) -> PrettyTable:
    table = PrettyTable(head, border=False, align="r")
    table.align[head[0]] = "l"
    return table
