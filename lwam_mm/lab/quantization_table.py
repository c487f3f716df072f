"""What INT8 costs, student by student, as a Markdown page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from lwam_mm.deploy.deploy_config import load_deploy_config
from lwam_mm.deploy.deployable import tested_size
from lwam_mm.deploy.exporter import export_bundle
from lwam_mm.deploy.gate import FLOAT, INT8
from lwam_mm.lab.pages.table import MISSING, markdown_table
from lwam_mm.quantization.quantize import QuantizationError
from lwam_mm.runtime import Bundle


@dataclass(frozen=True)
class TrainedStudent:
    """A trained student to quantize.

    Attributes:
        name: Name to show.
        config: Its plain config.
        checkpoint: Its checkpoint.
    """

    name: str
    config: Config
    checkpoint: Path


@dataclass(frozen=True)
class QuantizedScores:
    """One line of the table.

    Attributes:
        student: Name of the student.
        model: "float", "INT8" or "INT8, controlled".
        iou: "mIoU" and each class's IoU in percent; None where no truth shows the class, or, for
            the whole row, empty where there is no such model.
        megabytes: Size of the model's files in 10^6 bytes.
        note: A remark.
    """

    student: str
    model: str
    iou: dict[str, float | None]
    megabytes: float | None = None
    note: str = ""


def quantization_rows(
    students: Sequence[TrainedStudent],
    *,
    backend: str,
    tight: float,
    progress: Callable[[str], None] = lambda line: None,
) -> list[QuantizedScores]:
    """Export each student in float, in plain INT8 and in INT8 under accuracy control.

    Args:
        students: The students; their validation and training images are needed.
        backend: ``"openvino"`` or ``"onnxruntime"``.
        tight: How much mIoU (in percent) accuracy control may lose.
        progress: Called with one line of text at each step.

    Returns:
        Three rows a student, on all its validation images.
    """
    rows = []
    for student in students:
        progress(f"== {student.name}")
        plain, _ = _export(student, backend, {}, progress)
        rows += [_row(student, plain, FLOAT), _row(student, plain, INT8)]
        controlled, refusal = _export(student, backend, dict(miou=tight), progress)
        if controlled is None:
            rows.append(QuantizedScores(student.name, "INT8, controlled", {}, note=refusal))
        else:
            left = controlled.manifest.provenance["int8"]["float_layers"]
            note = f"in float: {', '.join(left)}" if left else "as plain: within the limit"
            rows.append(_row(student, controlled, INT8, "INT8, controlled", note))
    return rows


def to_markdown(rows: Sequence[QuantizedScores], *, title: str, facts: Sequence[str]) -> str:
    """Write the rows as a page.

    Args:
        rows: At least one with figures.
        title: Heading of the page.
        facts: Lines about how it was measured, above the table.
    """
    classes = list(next(row.iou for row in rows if row.iou))
    cells = [
        [
            row.student,
            row.model,
            *(_two_digits(row.iou.get(name)) for name in classes),
            _two_digits(row.megabytes),
            row.note,
        ]
        for row in rows
    ]
    headings = ["student", "model", *classes, "MB", "note"]
    table = markdown_table(headings, cells, left=["model", "note"])
    return "\n".join([f"# {title}", "", *facts, "", table, ""])


def _export(
    student: TrainedStudent, backend: str, limits: dict[str, float], progress: Callable[[str], None]
) -> tuple[Bundle | None, str]:
    deploy_config = load_deploy_config(backend, tested_size(student.config))
    deploy_config.gate.images = None
    deploy_config.gate.limits.int8 = limits
    with tempfile.TemporaryDirectory() as folder:
        try:
            bundle = export_bundle(
                student.config,
                student.checkpoint,
                Path(folder) / "bundle",
                int8=True,
                deploy_config=deploy_config,
                progress=progress,
            )
        except QuantizationError as error:
            return None, str(error)
        size = sum((bundle.root / name).stat().st_size for name in bundle.manifest.files)
        bundle.manifest.figures["megabytes"] = size / 1e6
        return bundle, ""


def _row(
    student: TrainedStudent, bundle: Bundle, stage: str, model: str | None = None, note: str = ""
) -> QuantizedScores:
    figures = bundle.manifest.figures
    size = figures["megabytes"] if stage == INT8 else None
    model = model or ("float" if stage == FLOAT else stage)
    return QuantizedScores(student.name, model, figures["gate"]["stages"][stage], size, note)


def _two_digits(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"
