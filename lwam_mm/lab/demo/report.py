"""The demo's report: summary, table of models and pictures on one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lwam_mm.lab.pages.html import write_page
from lwam_mm.lab.pages.pictures import Sample, as_data_uri, has_unlabelled, overlays
from lwam_mm.lab.pages.table import (
    MISSING,
    ModelScores,
    format_amount,
    format_parameters,
    format_percent,
    models_table,
)


def write_report(
    path: Path,
    models: Sequence[ModelScores],
    samples: Sequence[Sample],
    *,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    **texts: object,
) -> None:
    """Write the report. All texts are shown as they are, never read as HTML.

    Args:
        path: The HTML file to write.
        models: The models in the order to show them, the teacher first and the deployed one last.
        samples: Images to show with truth and predictions beside each other.
        classes: Class names in index order; class 0 is the background, which is not coloured.
        palette: One (R, G, B) of 0..255 a class.
        texts: ``title``, and if wanted ``notes`` below the table, ``facts`` by name and
            ``commands`` that made the report.
    """
    predicted_by = list(dict.fromkeys(name for sample in samples for name in sample.predictions))
    pictures = []
    for sample in samples:
        drawn = overlays(sample, palette)
        shown = ("image", "truth", *predicted_by)
        uris = {name: as_data_uri(drawn[name]) if name in drawn else None for name in shown}
        pictures.append((sample.name, uris))
    write_page(
        path,
        "demo.html",
        teacher=models[0].name,
        deployed=models[-1].name,
        cards=_cards(models[0], models[-1]),
        table=models_table(models, classes),
        classes=classes,
        palette=palette,
        unlabelled=has_unlabelled(samples),
        samples=pictures,
        **(dict(notes=(), facts={}, commands=()) | texts),
    )


def _cards(teacher: ModelScores, deployed: ModelScores) -> list[dict[str, str]]:
    """Return the known figures of the deployed model, each beside the teacher's if it is known."""
    cards = []
    for what, unit, *figures in (
        ("mean IoU", " %", *(format_percent(model.miou) for model in (deployed, teacher))),
        ("parameters", "", *(format_parameters(m.parameters) for m in (deployed, teacher))),
        (
            "per image (median)",
            " ms",
            *(format_amount(m.milliseconds) for m in (deployed, teacher)),
        ),
    ):
        # A number and its unit must not be separated by a line break.
        own, against = (
            "" if figure == MISSING else f"{figure}{unit}".replace(" ", "\N{NO-BREAK SPACE}")
            for figure in figures
        )
        if own:
            cards.append(dict(figure=own, what=what, teacher=against))
    return cards
