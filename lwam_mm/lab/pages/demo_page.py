"""The report as one HTML file that needs nothing else: no script, no network, no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from lwam_mm.lab.pages.pictures import IGNORE, Sample, as_data_uri, check_sample, draw_mask
from lwam_mm.lab.pages.style import STYLE
from lwam_mm.lab.pages.table import (
    ModelScores,
    format_amount,
    format_parameters,
    format_percent,
    is_known,
    models_table,
)
from lwam_mm.utils.atomic_files import write_atomically

MISSING = "\N{EN DASH}"


def write_report(
    path: str | Path,
    *,
    title: str,
    rows: Sequence[ModelScores],
    samples: Sequence[Sample],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    notes: Sequence[str] = (),
    facts: Mapping[str, object] | None = None,
    commands: Sequence[str] = (),
) -> None:
    """Write the report: summary, table of models, pictures, and how it was made.

    The summary compares the last row with the first one, so give the teacher first and the model
    that is to be deployed last. All texts are shown as they are, never read as HTML.

    Args:
        path: HTML file to write; its folder is created if need be. It appears whole or not at all.
        title: The page's heading.
        rows: The models, in the order to show them.
        samples: Images to show with truth and predictions beside each other.
        classes: Class names in index order; class 0 is the background, which is not coloured.
        palette: One (R, G, B) of 0..255 a class.
        notes: Sentences shown below the table.
        facts: What the reader should know of the environment, name and value.
        commands: Commands that made the report or that come next.

    Raises:
        ValueError: If there is no row, palette or class IoUs do not fit the classes, or a sample's
            image and masks do not fit each other or the classes.
        OSError: If the file cannot be written.
    """
    if not rows:
        raise ValueError(f"{path}: a report needs at least one model's row.")
    if len(palette) != len(classes):
        raise ValueError(
            f"{path}: the palette has {len(palette)} colours for {len(classes)} classes: give one "
            "(R, G, B) for each class."
        )
    for sample in samples:
        check_sample(sample, len(classes))

    sections = [
        _summary(rows),
        models_section(rows, classes, notes),
        _pictures(samples, classes, palette),
        making_section(facts or {}, commands),
    ]
    write_atomically(path, whole_page(title, sections).encode("utf-8"))


def whole_page(title: str, sections: Sequence[str], style: str = STYLE) -> str:
    """Put sections of HTML under a heading, as a page that needs nothing else."""
    body = "\n".join(sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<main>
<header><h1>{escape(title)}</h1></header>
{body}
</main>
</body>
</html>
"""


def _summary(rows: Sequence[ModelScores]) -> str:
    first, last = rows[0], rows[-1]
    cards = [
        _card("mean IoU", format_percent, last.miou, first.miou, "%"),
        _card("parameters", format_parameters, last.parameters, first.parameters),
        _card("per image (median)", format_amount, last.milliseconds, first.milliseconds, "ms"),
        _card("file size", format_amount, last.megabytes, first.megabytes, "MB"),
    ]
    shown = "".join(
        f'<div class="card"><div class="figure">{figure}</div><div class="what">{what}</div>'
        + (f'<div class="against">{escape(first.name)}: {other}</div>' if other else "")
        + "</div>"
        for figure, what, other in filter(None, cards)
    )
    if not shown:
        return ""
    return f'<section><h2>{escape(last.name)}</h2><div class="cards">{shown}</div></section>'


def _card(what, write, value, other, unit="") -> tuple[str, str, str] | None:
    if not is_known(value):
        return None
    # "0.250 M" already ends in its unit; a number and its unit must not part at a line's end.
    texts = [
        f"{write(each)} {unit}".strip().replace(" ", "&nbsp;") if is_known(each) else ""
        for each in (value, other)
    ]
    return texts[0], what, texts[1]


def models_section(
    rows: Sequence[ModelScores], classes: Sequence[str], notes: Sequence[str]
) -> str:
    """Write the table of models, with notes below it."""
    headings, table = models_table(rows, classes)
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = []
    for row, texts in zip(rows, table, strict=True):
        shares = [row.miou, *(row.class_iou or [None] * len(classes))]
        cells = [f'<th scope="row">{escape(texts[0])}</th>']
        for column, text in enumerate(texts[1:]):
            share = shares[column] if column < len(shares) else None
            cells.append(_cell(text, share))
        body.append(f"<tr>{''.join(cells)}</tr>")
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"""<section>
<h2>Models</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Table of models">
<table>
<caption>IoU in percent: the mean over all classes, then each class.</caption>
<thead><tr>{head}</tr></thead>
<tbody>{"".join(body)}</tbody>
</table>
</div>
{f'<ul class="notes">{items}</ul>' if items else ""}
</section>"""


def _cell(text: str, share: float | None) -> str:
    if text == "-":
        return f'<td class="missing" title="not measured or not defined">{MISSING}</td>'
    if not is_known(share):
        return f"<td>{escape(text)}</td>"
    width = min(max(share / 100, 0.0), 1.0)
    return f'<td class="share" style="--share:{width:.3f}">{escape(text)}</td>'


def _pictures(
    samples: Sequence[Sample], classes: Sequence[str], palette: Sequence[Sequence[int]]
) -> str:
    if not samples:
        return ""
    models = list(dict.fromkeys(name for sample in samples for name in sample.predictions))
    figures = "".join(_figure(sample, models, palette) for sample in samples)
    unlabelled = any(
        np.any(mask == IGNORE)
        for sample in samples
        for mask in (sample.truth, *sample.predictions.values())
    )
    return f"""<section>
<h2>Pictures</h2>
<p class="hint">Classes are coloured over the image. Select a picture to enlarge it.</p>
{legend(classes, palette, unlabelled)}
{figures}
</section>"""


def legend(classes: Sequence[str], palette: Sequence[Sequence[int]], unlabelled: bool) -> str:
    """List the names beside their colours; the first one is not coloured."""
    chips = [f'<li><span class="chip plain"></span>{escape(classes[0])} (not coloured)</li>']
    for name, (red, green, blue) in zip(classes[1:], palette[1:], strict=True):
        colour = f"rgb({int(red)},{int(green)},{int(blue)})"
        chips.append(
            f'<li><span class="chip" style="background:{colour}"></span>{escape(name)}</li>'
        )
    if unlabelled:
        chips.append('<li><span class="chip hatched"></span>no label</li>')
    return f'<ul class="legend">{"".join(chips)}</ul>'


def _figure(sample: Sample, models: Sequence[str], palette: Sequence[Sequence[int]]) -> str:
    truth = draw_mask(sample.image, sample.truth, palette)
    panels = [
        panel(sample.name, "image", as_data_uri(sample.image)),
        panel(sample.name, "truth", as_data_uri(truth)),
    ]
    for model in models:
        mask = sample.predictions.get(model)
        uri = None if mask is None else as_data_uri(draw_mask(sample.image, mask, palette))
        panels.append(panel(sample.name, model, uri))
    return (
        f'<figure class="sample"><figcaption>{escape(sample.name)}</figcaption>'
        f'<div class="panels">{"".join(panels)}</div></figure>'
    )


def panel(sample_name: str, what: str, uri: str | None) -> str:
    """Write a picture that can be enlarged, or that there is none."""
    caption = f'<span class="of">{escape(what)}</span>'
    if uri is None:
        return f'<div class="panel">{caption}<div class="none">no prediction</div></div>'
    described = escape(f"{sample_name}: {what}")
    # A checkbox, because enlarging then needs no script.
    return (
        f'<label class="panel">{caption}<input type="checkbox" aria-label="enlarge {described}">'
        f'<img src="{uri}" alt="{described}"></label>'
    )


def making_section(facts: Mapping[str, object], commands: Sequence[str]) -> str:
    """Write how a page was made; nothing if nothing is known."""
    if not facts and not commands:
        return ""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>"
        for name, value in facts.items()
    )
    listing = escape("\n".join(commands))
    return f"""<footer>
<h2>How this was made</h2>
{f"<dl>{items}</dl>" if items else ""}
{f'<pre tabindex="0"><code>{listing}</code></pre>' if commands else ""}
</footer>"""
