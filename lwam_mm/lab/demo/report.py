"""The demo's report: summary, table of models and pictures on one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lwam_mm.lab.pages.html import write_page
from lwam_mm.lab.pages.pictures import Sample, as_data_uri, check_sample, has_unlabelled, overlays
from lwam_mm.lab.pages.table import (
    ModelScores,
    format_amount,
    format_parameters,
    format_percent,
    is_known,
    page_table,
)

_CARDS = (
    ("mean IoU", "miou", format_percent, "%"),
    ("parameters", "parameters", format_parameters, ""),
    ("per image (median)", "milliseconds", format_amount, "ms"),
    ("file size", "megabytes", format_amount, "MB"),
)


def write_report(
    path: str | Path,
    *,
    title: str,
    models: Sequence[ModelScores],
    samples: Sequence[Sample],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    notes: Sequence[str] = (),
    facts: Mapping[str, object] | None = None,
    commands: Sequence[str] = (),
) -> None:
    """Write the report: summary, table of models, pictures, and how it was made.

    The summary compares the last model with the first one: pass the teacher first and the model
    that is to be deployed last. All texts are shown as they are, never read as HTML.

    Args:
        path: The HTML file to write; its folder is created if needed.
        title: The page's heading.
        models: The models, in the order to show them.
        samples: Images to show with truth and predictions beside each other.
        classes: Class names in index order; class 0 is the background, which is not coloured.
        palette: One (R, G, B) of 0..255 a class.
        notes: Sentences below the table.
        facts: Names and values of what the reader should know of the environment.
        commands: Commands that made the report or that come next.

    Raises:
        ValueError: If there is no model, palette or class IoUs do not fit the classes, or a
            sample's image and masks do not fit each other or the classes.
        OSError: If the file cannot be written.
    """
    if not models:
        raise ValueError(f"{path}: a report needs at least one model.")
    if len(palette) != len(classes):
        raise ValueError(
            f"{path}: the palette has {len(palette)} colours for {len(classes)} classes: give one "
            "(R, G, B) for each class."
        )
    for sample in samples:
        check_sample(sample, len(classes))
    predicted_by = list(dict.fromkeys(name for sample in samples for name in sample.predictions))
    write_page(
        path,
        "demo.html",
        title=title,
        teacher=models[0].name,
        deployed=models[-1].name,
        cards=_cards(models[0], models[-1]),
        table=page_table(models, classes),
        notes=notes,
        classes=classes,
        palette=palette,
        unlabelled=has_unlabelled(samples),
        samples=[(sample.name, _pictures(sample, predicted_by, palette)) for sample in samples],
        facts=facts,
        commands=commands,
    )


def _cards(teacher: ModelScores, deployed: ModelScores) -> list[dict[str, str]]:
    """Return the known figures of the deployed model beside the teacher's."""
    cards = []
    for what, name, write, unit in _CARDS:
        # A number and its unit must not be separated by a line break.
        figure, against = (
            f"{write(value)} {unit}".strip().replace(" ", "\N{NO-BREAK SPACE}")
            if is_known(value := getattr(model, name))
            else ""
            for model in (deployed, teacher)
        )
        if figure:
            cards.append(dict(figure=figure, what=what, teacher=against))
    return cards


def _pictures(
    sample: Sample, predicted_by: Sequence[str], palette: Sequence[Sequence[int]]
) -> dict[str, str | None]:
    """Return what to show of a sample, encoded; None for a model without a prediction."""
    drawn = overlays(sample, palette)
    return {
        name: as_data_uri(drawn[name]) if name in drawn else None
        for name in ("image", "truth", *predicted_by)
    }
