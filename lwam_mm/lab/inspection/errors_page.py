"""The page of errors: worst images, confusion and precision-recall in one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from markupsafe import Markup

from lwam_mm.lab.inspection.find_errors import Findings
from lwam_mm.lab.inspection.precision_recall import Curve, PrecisionRecall
from lwam_mm.lab.pages.html import render, write_page
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

_LEFT, _TOP, _SIDE = 40, 8, 160
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

    ``judged`` is the model whose errors are shown; the table at the top has all ``models``. The
    ``texts`` are ``title``, and if wanted ``notes`` below the table, ``facts`` by name and
    ``commands``.
    """
    worst = findings.worst
    counted = {judged: findings.precision_recall[judged], **findings.precision_recall}
    pictures = _encode([_pictures(judged, image.sample, palette) for image in worst])
    write_page(
        path,
        "errors.html",
        judged=judged,
        others=list(counted)[1:],
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
    if None in curves.values():
        return dict(name=name, plot=None)
    first, curve = next(iter(curves.items()))
    at = curve.best
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


def draw_precision_recall(title: str, curves: Mapping[str, Curve], share: float) -> Markup:
    """Draw the precision over recall of one class, by the segmentor's name, as SVG.

    The first curve has a solid line, with a dot at its best F-score; the others are dashed. The
    ``title`` is for readers who cannot see the picture; ``share``, 0..1, is the class's share of
    all pixels, which is the precision of guessing.
    """
    first = next(iter(curves.values()))
    lines = [("guess", _points(np.array([0, 1]), np.array([share, share])))]
    for curve in reversed(curves.values()):  # the first line on top of the others
        known = ~np.isnan(curve.precision)
        kind = "curve" if curve is first else "curve other"
        lines.append((kind, _points(curve.recall[known], curve.precision[known])))
    best = _place(first.recall[first.best], first.precision[first.best])
    return render(
        "precision_recall.svg",
        title=title, lines=lines, best=best, left=_LEFT, top=_TOP, side=_SIDE,
    )  # fmt: skip


def _points(recall: np.ndarray, precision: np.ndarray) -> str:
    places = np.stack(_place(recall, precision), axis=1).round(1)
    # Thresholds at the same tenth of a pixel as the one before only make the page larger.
    return " ".join(text for text, _ in groupby(f"{x:g},{y:g}" for x, y in places))


def _place(recall, precision):
    return _LEFT + _SIDE * recall, _TOP + _SIDE * (1 - precision)


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
