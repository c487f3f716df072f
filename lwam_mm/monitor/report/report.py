"""Collects what is said of a build, and writes it as one HTML file."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.classes import build_classes
from lwam_mm.monitor.record.queries import build_status, files_put_aside
from lwam_mm.monitor.record.store import Record, find_build, now
from lwam_mm.monitor.record.tables import Build, Document, Layer, Region
from lwam_mm.monitor.report.browser import print_pdf
from lwam_mm.monitor.view import pictures
from lwam_mm.monitor.view.build_data import (
    LayerColumns,
    alarm_rows,
    area_by_class,
    class_colours,
    layer_columns,
    region_points,
    steps_of,
)
from lwam_mm.monitor.view.charts import CHARTS, PLOTLY
from lwam_mm.monitor.view.colours import LETTERS, VERDICTS
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError
from lwam_mm.version import __version__

PICTURES = 12
"""How many layers are shown with their pictures."""
_PICTURE_PX = 560
_FILES = 50  # that were put aside; their number is said
_POINTS = 5_000  # of the 3-D map; a report should open in a mail
_STEPS = {"recoated": "after recoating", "exposed": "after exposure"}


def write_report(record: Record, build: str, out: Path) -> None:
    """Write the report of a build.

    Args:
        record: The record.
        build: Name of the build.
        out: The file, ``.html`` or ``.pdf``; the PDF is printed by a browser.

    Raises:
        RecordError: There is no such build.
        UserError: The file's name ends in something else.
        BrowserError: There is no browser for the PDF, or it fails.
    """
    if out.suffix.lower() not in (".html", ".pdf"):
        raise UserError(f"{out}: a report is .html or .pdf: give such a name")
    page = report_html(record, build).encode()
    if out.suffix.lower() == ".pdf":
        page = print_pdf(page)
    write_atomically(out, page)


def report_html(record: Record, build: str) -> str:
    """Return the report of a build as HTML; everything that it shows is within it.

    Raises:
        RecordError: There is no such build.
    """
    with record.reading() as session:
        row = find_build(session, build)
        (status,) = [each for each in build_status(session) if each.build == build]
        alarms = alarm_rows(session, row.id)
        values = {
            "build": row,
            "status": dataclasses.asdict(status),
            "alarms": alarms,
            "judged": {
                verdict: sum(alarm["operator_verdict"] == verdict for alarm in alarms)
                for verdict in ("real", "false", "unsure", None)
            },
            "times": session.execute(
                select(func.min(Layer.recorded_at), func.max(Layer.recorded_at)).where(
                    Layer.build_id == row.id
                )
            ).one(),
            "steps": [_step(session, row, step) for step in steps_of(session, row.id)],
            "worst": _worst(session, record, row),
            "unsettled": _unsettled(session, row),
            "put_aside": [file for file in files_put_aside(session) if file.build in (build, None)],
            "most_files": _FILES,
            "documents": _documents(session, row),
            "verdict_colours": VERDICTS,
            "written_at": now(),
            "version": __version__,
            "scripts": [_script(path) for path in (PLOTLY, CHARTS)],
            "letters": {letter: name.replace("_", " ") for name, letter in LETTERS.items()},
        }
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lwam_mm.monitor.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["js"] = _for_script
    return environment.get_template("report.html").render(values)


def _script(path: Path) -> str:
    return path.read_text("utf-8").replace("</script", "<\\/script")


def _step(session: Session, build: Build, step: str) -> dict[str, Any]:
    columns = layer_columns(session, build.id, step)
    unit, areas = area_by_class(session, build.id, step)
    points = region_points(session, build.id, step, _POINTS)
    return {
        "name": step,
        "title": _STEPS[step],
        "strip": _runs(columns),
        "count": len(columns.numbers),
        "columns": dataclasses.asdict(columns),
        "unit": unit,
        "areas": areas,
        "points": dataclasses.asdict(points),
        "colours": class_colours(session, build.id),
    }


def _runs(columns: LayerColumns) -> list[dict[str, Any]]:
    """Join neighbouring layers of one verdict, so that 10,000 layers are not as many elements."""
    runs: list[dict[str, Any]] = []
    for index, (number, letter) in enumerate(zip(columns.numbers, columns.verdicts, strict=True)):
        if runs and runs[-1]["letter"] == letter:
            runs[-1]["length"] += 1
            runs[-1]["last"] = number
        else:
            runs.append(
                {"letter": letter, "start": index, "length": 1, "first": number, "last": number}
            )
    return runs


def _worst(session: Session, record: Record, build: Build) -> list[dict[str, Any]]:
    """Return the layers to look at first: critical before minor, then by the area of regions."""
    area = func.coalesce(func.sum(Region.area_px), 0)
    rows = session.execute(
        select(Layer, area)
        .outerjoin(Region, (Region.layer_id == Layer.id) & Region.background.is_(False))
        .where(Layer.build_id == build.id, Layer.verdict.in_(("critical", "minor")))
        .group_by(Layer.id)
        .order_by((Layer.verdict == "critical").desc(), area.desc(), Layer.id)
        .limit(PICTURES)
    ).all()
    classes = build_classes(session, build.id)
    return [
        {
            "layer": layer,
            "area": pixels,
            "step": _STEPS[layer.step],
            "frame": _picture(partial(pictures.frame_jpeg, record, layer, _PICTURE_PX)),
            "overlay": _picture(
                partial(pictures.overlay_jpeg, record, layer, classes, _PICTURE_PX)
            ),
        }
        for layer, pixels in sorted(rows, key=lambda row: row[0].number)
    ]


def _picture(make: Callable[[], bytes]) -> dict[str, str | None]:
    try:
        data = base64.b64encode(make()).decode()
        return {"source": f"data:image/jpeg;base64,{data}", "gone": None}
    except pictures.PictureGoneError as error:
        return {"source": None, "gone": str(error)}


def _unsettled(session: Session, build: Build) -> list[dict[str, Any]]:
    """Return the layers about which nothing is known, joined where they have the same reason."""
    rows = session.execute(
        select(Layer.number, Layer.step, Layer.reason)
        .where(Layer.build_id == build.id, Layer.verdict == "not_inspected")
        .order_by(Layer.step, Layer.number)
    ).all()
    found: list[dict[str, Any]] = []
    for number, step, reason in rows:
        last = found[-1] if found else None
        same = last and (last["step"], last["reason"]) == (_STEPS[step], reason)
        if last and same and number <= last["last"] + 1:
            last["last"] = number
            continue
        found.append({"step": _STEPS[step], "first": number, "last": number, "reason": reason})
    return found


def _documents(session: Session, build: Build) -> list[dict[str, Any]]:
    found = []
    for kind, column in (("model", Layer.model_sha256), ("config", Layer.config_sha256)):
        rows = session.execute(
            select(column, func.min(Layer.number), func.max(Layer.number))
            .where(Layer.build_id == build.id, column.is_not(None))
            .group_by(column)
            .order_by(func.min(Layer.id))
        ).all()
        for digest, first, last in rows:
            text = session.get_one(Document, digest).text
            found.append(
                {"kind": kind, "sha256": digest, "first": first, "last": last, "text": text}
            )
    return found


def _for_script(value: Any) -> Markup:
    """Return a value as JSON for a script element, which no text in it can end."""
    text = json.dumps(value, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
