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
from lwam_mm.lab.pages.table import format_amount, format_percent, markdown_table
from lwam_mm.quantization.quantize import QuantizationError
from lwam_mm.runtime import Manifest

_CONTROLLED = "INT8, controlled"


@dataclass(frozen=True)
class TrainedStudent:
    """A trained student to quantize.

    Attributes:
        name: Name to show.
        config: Its plain config.
        checkpoint: Its weights.
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
        manifest, megabytes = _export(student, backend, {}, progress)
        stages = manifest.figures["gate"]["stages"]
        rows.append(QuantizedScores(student.name, "float", stages[FLOAT]))
        rows.append(QuantizedScores(student.name, "INT8", stages[INT8], megabytes))
        try:
            manifest, megabytes = _export(student, backend, dict(miou=tight), progress)
        except QuantizationError as error:
            rows.append(QuantizedScores(student.name, _CONTROLLED, {}, note=str(error)))
            continue
        left = manifest.provenance["int8"]["float_layers"]
        note = f"in float: {', '.join(left)}" if left else "as plain: within the limit"
        iou = manifest.figures["gate"]["stages"][INT8]
        rows.append(QuantizedScores(student.name, _CONTROLLED, iou, megabytes, note))
    return rows


def to_markdown(rows: Sequence[QuantizedScores], *, title: str, facts: Sequence[str]) -> str:
    """Return the page of rows, at least one with figures; ``facts`` are lines above the table."""
    classes = list(next(row.iou for row in rows if row.iou))
    cells = [
        [
            row.student,
            row.model,
            *(format_percent(row.iou.get(name)) for name in classes),
            format_amount(row.megabytes),
            row.note,
        ]
        for row in rows
    ]
    headings = ["student", "model", *classes, "MB", "note"]
    table = markdown_table(headings, cells, left=["model", "note"])
    return "\n".join([f"# {title}", "", *facts, "", table, ""])


def _export(
    student: TrainedStudent, backend: str, limits: dict[str, float], progress: Callable[[str], None]
) -> tuple[Manifest, float]:
    """Return the manifest of a bundle with the gate's scores, and the bundle's size in MB."""
    deploy_config = load_deploy_config(backend, tested_size(student.config))
    deploy_config.gate.images = None
    deploy_config.gate.limits.int8 = limits
    with tempfile.TemporaryDirectory() as folder:
        bundle = export_bundle(
            student.config,
            student.checkpoint,
            Path(folder) / "bundle",
            int8=True,
            deploy_config=deploy_config,
            progress=progress,
        )
        size = sum((bundle.root / name).stat().st_size for name in bundle.manifest.files)
    return bundle.manifest, size / 1e6
