from __future__ import annotations

import pytest

from lwam_mm.lab.benchmark.targets import TARGETS, Target, targets_table

ALL_REACHED = {
    "teacher.p50": 5000.0, "folded.p50": 1000.0,
    "openvino.p50": 400.0, "openvino.p99": 420.0, "openvino.over_roofline": 1.1,
    "openvino-int8.p50": 90.0, "openvino-int8.p99": 95.0, "openvino-int8.over_roofline": 1.25,
    "openvino-file.p50": 440.0, "openvino-file.p99": 500.0,
    "openvino-int8-file.p50": 110.0, "openvino-int8-file.p99": 120.0,
    "import": 0.2, "openvino.start": 1.5, "openvino-int8.start": 1.0,
    "openvino.peak": 700.0, "openvino-int8.peak": 300.0,
    "openvino.tiling_peak": 900.0, "openvino-int8.tiling_peak": 500.0,
}  # fmt: skip


def failed(figures: dict[str, float]) -> list[str]:
    return [target.wording for target in TARGETS if target.answer(figures) == "no"]


def test_all_reached():
    assert [target.answer(ALL_REACHED) for target in TARGETS] == ["yes"] * len(TARGETS)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"folded.p50": 719.0, "openvino.p50": 320.0, "openvino-file.p50": 360.0,
          "openvino-file.p99": 400.0}, "INT8 at least 8 times"),
        ({"teacher.p50": 4400.0}, "at least 50 times"),
        ({"openvino.over_roofline": 1.31}, "float within 1.3 times"),
        ({"openvino-int8.over_roofline": 2.0}, "INT8 within 1.3 times"),
        ({"openvino-file.p50": 470.0, "openvino-file.p99": 480.0}, "at most 1.15 times"),
        ({"openvino-int8-file.p50": 118.0, "openvino-int8-file.p99": 120.0},
         "at most 1.3 times the bare inference, INT8"),
        ({"openvino-int8-file.p99": 150.0}, "p99 at most 1.3 times p50, INT8"),
        ({"openvino-file.p99": 600.0}, "p99 at most 1.3 times p50, float"),
        ({"import": 0.6}, "import of"),
        ({"openvino-int8.start": 2.1}, "under 2 s, OpenVINO INT8"),
        ({"openvino-int8.peak": 401.0}, "under 400 MB"),
        ({"openvino.tiling_peak": 1001.0}, "in under 1 GB, OpenVINO float"),
    ],
)  # fmt: skip
def test_what_is_missed_is_named(change, expected):
    wordings = failed({**ALL_REACHED, **change})
    assert len(wordings) == 1
    assert expected in wordings[0]


def test_what_was_not_measured_is_no_failure():
    figures = {"import": 0.1}
    measured = [target for target in TARGETS if target.measure(figures) is not None]
    assert [target.answer(figures) for target in measured] == ["yes"]
    others = [target for target in TARGETS if target not in measured]
    assert {target.answer(figures) for target in others} == {"not measured"}
    assert len(others) == len(TARGETS) - 1


def test_the_table():
    targets = [Target("small", "a", at_most=1, unit=""), Target("large", "b", unit="MB")]
    page = targets_table({"a": 2e-6, "b": 1234.5}, [*targets, TARGETS[0]])
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    assert lines[2:] == [
        ["small", "2e-06", "yes"],
        ["large", "1,234 MB", "yes"],
        ["OpenVINO INT8 at least 8 times as fast as folded eager", "-", "not measured"],
    ]
