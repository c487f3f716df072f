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

    The first of the ``models`` is the teacher, the last one the deployed model. The ``texts`` are
    ``title``, and if wanted ``notes`` below the table, ``facts`` by name and ``commands``.
    """
    predicted_by = dict.fromkeys(name for sample in samples for name in sample.predictions)
    pictures = []
    for sample in samples:
        uris = dict.fromkeys(("image", "truth", *predicted_by))
        uris |= {what: as_data_uri(drawn) for what, drawn in overlays(sample, palette).items()}
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
    for what, unit, show, name in (
        ("mean IoU", " %", format_percent, "miou"),
        ("parameters", "", format_parameters, "parameters"),
        ("per image (median)", " ms", format_amount, "milliseconds"),
    ):
        # A number and its unit must not be separated by a line break.
        own, against = (
            "" if figure == MISSING else f"{figure}{unit}".replace(" ", "\N{NO-BREAK SPACE}")
            for figure in (show(getattr(model, name)) for model in (deployed, teacher))
        )
        if own:
            cards.append(dict(figure=own, what=what, teacher=against))
    return cards
