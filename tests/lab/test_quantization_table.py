from __future__ import annotations

import pytest
from mmengine.config import Config

from lwam_mm.lab import quantization_table
from lwam_mm.lab.quantization_table import (
    QuantizedScores,
    TrainedStudent,
    quantization_rows,
    to_markdown,
)
from lwam_mm.quantization.quantize import QuantizationError


@pytest.fixture(scope="module")
def students(student_config, student_checkpoint):
    return [TrainedStudent("narrow", Config.fromfile(student_config), student_checkpoint)]


def test_three_rows_a_student_with_figures_of_their_own(students):
    rows = quantization_rows(students, backend="openvino", tight=100.0)
    assert [row.model for row in rows] == ["float", "INT8", "INT8, controlled"]
    assert {row.student for row in rows} == {"narrow"}
    plain, int8, controlled = rows
    assert 0 < plain.iou["mIoU"] < 100
    assert int8.iou != plain.iou
    assert controlled.iou == int8.iou
    assert controlled.note == "as plain: within the limit"
    assert 0.01 < int8.megabytes < 1


def test_a_limit_that_no_model_keeps_is_told(students, monkeypatch):
    real = quantization_table.export_bundle

    def export(*args, deploy_config, **kwargs):
        if deploy_config.gate.limits.int8:
            raise QuantizationError("no layer can be INT8")
        return real(*args, deploy_config=deploy_config, **kwargs)

    monkeypatch.setattr(quantization_table, "export_bundle", export)
    rows = quantization_rows(students, backend="onnxruntime", tight=0.0)
    assert rows[2] == QuantizedScores("narrow", "INT8, controlled", {}, note="no layer can be INT8")
    assert "no layer can be INT8 |" in to_markdown(rows, title="t", facts=[])


def test_the_page():
    iou = {"mIoU": 50.0, "Background": 99.0, "Super": None}
    rows = [
        QuantizedScores("a", "float", iou),
        QuantizedScores("a", "INT8", iou, 0.25, "3 layers in float"),
    ]
    head, table = to_markdown(rows, title="What INT8 costs", facts=["How."]).split("\n\n|")
    assert head == "# What INT8 costs\n\nHow."
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert cells[0] == ["student", "model", "mIoU", "Background", "Super", "MB", "note"]
    assert cells[2:] == [
        ["a", "float", "50.00", "99.00", "-", "-", ""],
        ["a", "INT8", "50.00", "99.00", "-", "0.25", "3 layers in float"],
    ]
