"""The ways to distil that are held against MMRazor's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One way to distil.

    Attributes:
        title: how the page names it.
        model: what replaces settings of the config's model.
        amp: train in bfloat16.
        keep_memory: keep freed memory, by KeepMemoryHook.
    """

    title: str
    model: dict[str, Any]
    amp: bool = False
    keep_memory: bool = False


STOCK = "stock"
_STOCK = dict(type="mmrazor.SingleTeacherDistill")
_OPENVINO, _INT8 = dict(teacher_engine="openvino"), dict(teacher_engine="openvino-int8")
ROWS: dict[str, Row] = {
    STOCK: Row("MMRazor's SingleTeacherDistill", _STOCK),
    "stock-keep": Row("the same, freed memory kept", _STOCK, keep_memory=True),
    "frozen": Row(
        "frozen teacher, no loss of its own", dict(teacher_engine=None, channels_last=False)
    ),
    "channels-last": Row("student channels-last, branches merged", dict(teacher_engine=None)),
    "torch": Row("and the teacher folded, in torch", dict(teacher_engine="torch")),
    "openvino": Row("and the teacher in OpenVINO", _OPENVINO),
    "openvino-int8": Row("and the teacher in OpenVINO, INT8", _INT8),
    "openvino-keep": Row(
        "teacher in OpenVINO, freed memory kept: the default", _OPENVINO, keep_memory=True
    ),
    "openvino-int8-keep": Row(
        "teacher in OpenVINO, INT8, freed memory kept", _INT8, keep_memory=True
    ),
    "bfloat16": Row(
        "all in bfloat16 (--amp), teacher in OpenVINO, freed memory kept", _OPENVINO, True, True
    ),
}
"""Rows by key, in the order of the page."""
