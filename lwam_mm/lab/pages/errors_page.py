"""The page of errors: worst images, confusion and precision-recall in one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from lwam_mm.lab.inspection.precision_recall import PrecisionRecall
from lwam_mm.lab.pages.demo_page import legend, making_section, models_section, panel, whole_page
from lwam_mm.lab.pages.difference import DIFFERENCE_PALETTE, DIFFERENCES, difference
from lwam_mm.lab.pages.pictures import IGNORE, Sample, as_data_uri, draw_mask
from lwam_mm.lab.pages.precision_recall_plot import draw_precision_recall
from lwam_mm.lab.pages.style import ERRORS_STYLE, STYLE
from lwam_mm.lab.pages.table import ModelScores
from lwam_mm.utils.atomic_files import write_atomically

_SIDES = (720, 512, 384, 288, 216, 160, 120)
_BYTES = 4_000_000
"""What all pictures together may weigh; they are drawn at the first of the sides that keeps it."""


def write_errors_page(
    path: str | Path,
    *,
    title: str,
    judged: str,
    rows: Sequence[ModelScores],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    confusion: np.ndarray,
    precision_recall: Mapping[str, PrecisionRecall],
    worst: Sequence[tuple[float, np.ndarray, Sample]],
    notes: Sequence[str] = (),
    facts: Mapping[str, object] | None = None,
    commands: Sequence[str] = (),
) -> None:
    """Write the page. All texts are shown as they are, never read as HTML.

    Args:
        path: HTML file to write; its folder is created if need be. It appears whole or not at all.
        title: the page's heading.
        judged: name of the model whose errors are shown.
        rows: the models, for the table at the top.
        classes: class names in index order; class 0 is the background.
        palette: one (R, G, B) of 0..255 a class.
        confusion: the judged model's pixels, integers of shape (C, C), row = truth.
        precision_recall: by model.
        worst: score and IoU of each class in percent, and the image, worst first.
        notes: sentences below the table of models.
        facts: what the reader should know of the environment, name and value.
        commands: how the page was made.

    Raises:
        OSError: the file cannot be written.
    """
    judged_first = sorted(precision_recall, key=lambda name: name != judged)
    sections = [
        models_section(rows, classes, notes),
        _confusion_section(judged, confusion, classes),
        _curves_section({name: precision_recall[name] for name in judged_first}, classes),
        _worst_section(judged, worst, classes, palette),
        making_section(facts or {}, commands),
    ]
    page = whole_page(title, sections, STYLE + ERRORS_STYLE)
    write_atomically(path, page.encode("utf-8"))


def _confusion_section(judged: str, confusion: np.ndarray, classes: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in classes)
    rows = []
    for index, name in enumerate(classes):
        total = int(confusion[index].sum())
        cells = [
            _confusion_cell(int(pixels), total, index == column)
            for column, pixels in enumerate(confusion[index])
        ]
        rows.append(
            f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}<td>{total:,}</td></tr>'
        )
    return f"""<section>
<h2>What is taken for what</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">
<table class="confusion">
<caption>{escape(judged)}: each row is a class of the truth and adds up to 100 %, each column what
its pixels were taken for; pixels below.</caption>
<thead><tr><th scope="col">truth \N{RIGHTWARDS ARROW} taken for</th>{head}<th scope="col">pixels</th
></tr></thead>
<tbody>{"".join(rows)}</tbody>
</table>
</div>
</section>"""


def _confusion_cell(pixels: int, total: int, right: bool) -> str:
    if total == 0:
        return '<td class="missing" title="this class is not in the truth">\N{EN DASH}</td>'
    share = pixels / total
    kind = "part right" if right else "part"
    return (
        f'<td class="{kind}" style="--share:{share:.3f}">{100 * share:.1f} %'
        f'<span class="count">{pixels:,}</span></td>'
    )


def _curves_section(models: Mapping[str, PrecisionRecall], classes: Sequence[str]) -> str:
    figures = "".join(_curve_figure(index, name, models) for index, name in enumerate(classes))
    first, *others = models
    lines = f"{first}: solid line, with a dot where its F-score is best" + "".join(
        f"; {other}: dashed" for other in others
    )
    return f"""<section>
<h2>Precision and recall</h2>
<p class="hint">Pixels are counted as a class from a threshold of its probability (softmax) on; the
lines are what the thresholds from 0 to 1 give, a thousandth apart. {escape(lines)}; dotted: what
guessing would give. AP is the average precision, the area under the line; with the best F-score
stands the threshold that has it.</p>
<div class="curves">{figures}</div>
</section>"""


def _curve_figure(index: int, name: str, models: Mapping[str, PrecisionRecall]) -> str:
    curves = {model: counted.curve(index) for model, counted in models.items()}
    if any(curve is None for curve in curves.values()):
        return (
            f'<figure class="sample"><figcaption>{escape(name)}</figcaption>'
            '<div class="none">not in the truth</div></figure>'
        )
    first = next(iter(curves))
    at, curve = curves[first].best, curves[first]
    found = ", ".join(
        f"{model} {100 * each.average_precision:.1f} %" for model, each in curves.items()
    )
    best = (
        f"best F-score {100 * curve.f_score[at]:.1f} % at {curve.thresholds[at]:.3f}: "
        f"precision {100 * np.nan_to_num(curve.precision[at]):.1f} %, "
        f"recall {100 * curve.recall[at]:.1f} %"
    )
    found, best = (text.replace(" %", "\N{NO-BREAK SPACE}%") for text in (found, best))
    described = f"Precision over recall of {name}; average precision: {found}; {best}"
    plot = draw_precision_recall(described, curves, models[first].share(index))
    return (
        f'<figure class="sample"><figcaption>{escape(name)}</figcaption>{plot}'
        f'<p class="of">AP: {escape(found)}</p><p class="of">{escape(best)}</p></figure>'
    )


def _worst_section(
    judged: str,
    worst: Sequence[tuple[float, np.ndarray, Sample]],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> str:
    if not worst:
        return ""
    samples = [sample for _, _, sample in worst]
    pictures = _encode([_pictures(judged, sample, palette) for sample in samples])
    figures = []
    for rank, ((score, iou, sample), uris) in enumerate(zip(worst, pictures, strict=True), 1):
        scores = ", ".join(
            f"{name} {value:.1f}"
            for name, value in zip(classes, iou, strict=True)
            if not np.isnan(value)
        )
        panels = "".join(panel(sample.name, what, uri) for what, uri in uris.items())
        figures.append(
            f'<figure class="sample"><figcaption>{rank}. {escape(sample.name)}: mean IoU '
            f'{score:.1f} %<span class="of">IoU in %: {escape(scores)}</span></figcaption>'
            f'<div class="panels">{panels}</div></figure>'
        )
    unlabelled = any(np.any(sample.truth == IGNORE) for sample in samples)
    return f"""<section>
<h2>Worst images</h2>
<p class="hint">Ordered by {escape(judged)}'s mean IoU over the classes that are in an image's truth
or in its prediction. Select a picture to enlarge it. In the pictures of classes:</p>
{legend(classes, palette, unlabelled)}
<p class="hint">In the pictures of the difference between {escape(judged)} and truth:</p>
<div class="still">{legend(DIFFERENCES, DIFFERENCE_PALETTE, unlabelled)}</div>
{"".join(figures)}
</section>"""


def _pictures(
    judged: str, sample: Sample, palette: Sequence[Sequence[int]]
) -> dict[str, np.ndarray]:
    """Draw an image's pictures by what they show, the judged model last before the difference."""
    others = [name for name in sample.predictions if name != judged]
    drawn = {"image": sample.image, "truth": draw_mask(sample.image, sample.truth, palette)}
    for name in [*others, judged]:
        drawn[name] = draw_mask(sample.image, sample.predictions[name], palette)
    kinds = difference(sample.truth, sample.predictions[judged])
    drawn["difference"] = draw_mask(sample.image, kinds, DIFFERENCE_PALETTE)
    return drawn


def _encode(samples: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, str]]:
    """Encode all pictures at the largest side at which they do not weigh too much."""
    for side in _SIDES:
        encoded = [
            {what: as_data_uri(picture, side) for what, picture in pictures.items()}
            for pictures in samples
        ]
        if sum(len(uri) for uris in encoded for uri in uris.values()) <= _BYTES:
            break
    return encoded
