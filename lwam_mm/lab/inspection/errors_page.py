"""The page of errors: worst images, confusion and precision-recall in one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lwam_mm.lab.inspection.find_errors import Findings
from lwam_mm.lab.inspection.precision_recall import PrecisionRecall
from lwam_mm.lab.inspection.precision_recall_plot import draw_precision_recall
from lwam_mm.lab.pages.html import write_page
from lwam_mm.lab.pages.pictures import (
    DIFFERENCE_PALETTE,
    DIFFERENCES,
    Sample,
    as_data_uri,
    difference,
    draw_mask,
    has_unlabelled,
    overlays,
)
from lwam_mm.lab.pages.table import ModelScores, models_table

_SIDES = (720, 512, 384, 288, 216, 160, 120)
_BYTES = 4_000_000
"""Limit for all pictures together; they are drawn at the first of the sides that keeps it."""


def write_errors_page(
    path: Path,
    findings: Findings,
    judged: str,
    models: Sequence[ModelScores],
    *,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    **texts: object,
) -> None:
    """Write the page. All texts are shown as they are, never read as HTML.

    Args:
        path: The HTML file to write.
        findings: The errors to show.
        judged: Name of the model whose errors are shown.
        models: The models, for the table at the top.
        classes: Class names in index order; class 0 is the background.
        palette: One (R, G, B) of 0..255 a class.
        texts: ``title``, and if wanted ``notes`` below the table, ``facts`` by name and
            ``commands`` that made the page.

    Raises:
        OSError: If the file cannot be written.
    """
    worst = findings.worst
    judged_first = sorted(findings.precision_recall, key=lambda name: name != judged)
    counted = {name: findings.precision_recall[name] for name in judged_first}
    pictures = _encode([_pictures(judged, image.sample, palette) for image in worst])
    write_page(
        path,
        "errors.html",
        judged=judged,
        others=judged_first[1:],
        table=models_table(models, classes),
        classes=classes,
        palette=palette,
        confusion=findings.confusion[judged].tolist(),
        curves=[_curve(index, name, counted) for index, name in enumerate(classes)],
        worst=[
            dict(
                name=image.sample.name,
                score=image.score,
                ious=", ".join(
                    f"{name} {iou:.1f}"
                    for name, iou in zip(classes, image.iou, strict=True)
                    if not np.isnan(iou)
                ),
                pictures=encoded,
            )
            for image, encoded in zip(worst, pictures, strict=True)
        ],
        unlabelled=has_unlabelled([image.sample for image in worst]),
        differences=DIFFERENCES,
        difference_palette=DIFFERENCE_PALETTE,
        **(dict(notes=(), facts={}, commands=()) | texts),
    )


def _curve(index: int, name: str, models: Mapping[str, PrecisionRecall]) -> dict[str, object]:
    """Return the plot of one class and its key figures; no plot without pixels of the class."""
    curves = {model: counted.curve(index) for model, counted in models.items()}
    if any(curve is None for curve in curves.values()):
        return dict(name=name, plot=None)
    first = next(iter(curves))
    curve, at = curves[first], curves[first].best
    average = ", ".join(
        f"{model} {100 * each.average_precision:.1f} %" for model, each in curves.items()
    )
    best = (
        f"best F-score {100 * curve.f_score[at]:.1f} % at {curve.thresholds[at]:.3f}: "
        f"precision {100 * np.nan_to_num(curve.precision[at]):.1f} %, "
        f"recall {100 * curve.recall[at]:.1f} %"
    )
    average, best = (text.replace(" %", "\N{NO-BREAK SPACE}%") for text in (average, best))
    described = f"Precision over recall of {name}; average precision: {average}; {best}"
    plot = draw_precision_recall(described, curves, models[first].share(index))
    return dict(name=name, plot=plot, average=average, best=best)


def _pictures(
    judged: str, sample: Sample, palette: Sequence[Sequence[int]]
) -> dict[str, np.ndarray]:
    """Draw an image's pictures by what they show, the judged model last before the difference."""
    drawn = overlays(sample, palette)
    drawn[judged] = drawn.pop(judged)
    kinds = difference(sample.truth, sample.predictions[judged])
    drawn["difference"] = draw_mask(sample.image, kinds, DIFFERENCE_PALETTE)
    return drawn


def _encode(images: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, str]]:
    """Encode all pictures at the largest side that keeps them below the limit."""
    for side in _SIDES:
        encoded = [
            {what: as_data_uri(picture, side) for what, picture in pictures.items()}
            for pictures in images
        ]
        if sum(len(uri) for uris in encoded for uri in uris.values()) <= _BYTES:
            break
    return encoded
