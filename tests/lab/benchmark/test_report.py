from __future__ import annotations

import csv
import io
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lwam_mm.lab.benchmark import report
from lwam_mm.lab.benchmark.candidates import Candidate
from lwam_mm.lab.benchmark.report import (
    BenchmarkRun,
    cpu_model,
    describe_environment,
    draw,
    instruction_sets,
    versions,
)
from lwam_mm.lab.benchmark.timing import StartUp, Timing

INTEL = "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nflags\t\t: fpu avx2 avx512_vnni amx\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp crc32\n"

RUN = BenchmarkRun(
    candidates=[
        Candidate("teacher", "teacher, eager", timing=Timing([4000.0])),
        Candidate(
            "folded",
            "student, folded",
            parameters=3_658_822,
            macs=83_080_773_632,
            timing=Timing([1000.0]),
        ),
        Candidate(
            "openvino-int8",
            "student, INT8",
            parameters=3_658_822,
            macs=80 * 10**9,
            elements=3 * 10**6,
            element_bytes=1,
            miou=71.234,
            roofline="products-openvino-int8",
            megabytes=3.904,
            timing=Timing([80.0] * 97 + [99.0] * 2 + [123.4], peak=298.4),
        ),
        Candidate("cgnet", "CGNet | eager", note="not measured: RuntimeError: no such operator"),
    ],
    rooflines=[
        Candidate(
            "products-openvino-int8", "products, INT8", macs=125 * 10**9, timing=Timing([100.0])
        ),
        Candidate("memory-copy", "copy", elements=10**6, element_bytes=2, timing=Timing([4.0])),
    ],
    starts={
        "openvino-int8": StartUp("OpenVINO INT8", 1.5, 0.75, 0.08, 298.4),
        "openvino-int8 tiles": StartUp("OpenVINO INT8, in tiles", 9.0, 8.0, 5.0, 450.0),
    },
    import_seconds=0.14,
    profiles={"student, INT8": "   12.50  100.0%  Convolution"},
    environment={"processor": "A Processor"},
    notes=["Random weights: the teacher."],
)


def lines_of(page: str) -> list[str]:
    """The page's lines, the padding of the tables taken away."""
    return [" ".join(line.split()) for line in page.splitlines()]


@pytest.fixture
def write_cpuinfo(monkeypatch, tmp_path):
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(report, "_CPUINFO", path)
    return path.write_text


def test_an_x86_processor(write_cpuinfo):
    write_cpuinfo(INTEL)
    assert cpu_model() == "A Processor @ 2 GHz"
    assert instruction_sets() == ["avx2", "avx512_vnni"]


def test_an_arm_processor(write_cpuinfo):
    write_cpuinfo(ARM)
    assert cpu_model()
    assert instruction_sets() == ["asimd", "asimddp"]


def test_the_environment_is_described(monkeypatch):
    monkeypatch.setattr("sys.argv", ["benchmark.py", "--size", "64"])
    found = describe_environment("tools/benchmark.py", threads=3)
    assert found["threads"] == "3"
    assert found["command"] == "python tools/benchmark.py --size 64"
    assert f"openvino {versions()['openvino']}" in found["versions"]
    assert found["processor"]


def test_a_share_is_the_longer_part_of_the_roofline_over_the_time():
    # 125 G products take 100 ms, so 80 G take 64 ms; copying 2 MB takes 4 ms, so 3 MB take 6 ms.
    assert RUN.bounds == {"openvino-int8": (pytest.approx(64), pytest.approx(6))}
    assert RUN.shares == {"openvino-int8": pytest.approx(0.8)}
    slow_memory = replace(RUN.rooflines[1], timing=Timing([48.0]))
    run = replace(RUN, rooflines=[RUN.rooflines[0], slow_memory])
    assert run.shares == {"openvino-int8": pytest.approx(72 / 80)}


def test_the_figures_of_the_targets():
    assert RUN.figures() == {
        "import": 0.14,
        "teacher.p50": 4000.0,
        "teacher.p99": 4000.0,
        "folded.p50": 1000.0,
        "folded.p99": 1000.0,
        "openvino-int8.p50": 80.0,
        "openvino-int8.p99": 99.0,
        "openvino-int8.over_roofline": pytest.approx(1.25),
        "openvino-int8.start": 0.75,
        "openvino-int8.peak": 298.4,
        "openvino-int8.tiling_peak": 450.0,
    }


def test_a_row_of_the_table():
    assert RUN.table_rows()[2] == [
        "student, INT8", "3.659 M", "80.0", "3.90", "71.23", "80.0", "80.0", "99.0", "100",
        "50.00x", "12.50x", "298", "64.0", "6.00", "80%",
    ]  # fmt: skip


def test_a_row_that_failed_stays_and_says_why():
    assert RUN.table_rows()[3] == ["CGNet | eager", *["-"] * 14]
    lines = lines_of(RUN.markdown())
    assert "- CGNet | eager: not measured: RuntimeError: no such operator" in lines
    assert any(line.startswith(r"| CGNet \| eager | - |") for line in lines)


def test_the_page_holds_everything():
    lines = lines_of(RUN.markdown("benchmark.png"))
    for line in (
        "- processor: A Processor",
        "![mIoU or size of every row over its latency](benchmark.png)",
        "| products, INT8 | 1,250 | - | |",
        "| copy | - | 0.50 | |",
        "student, INT8, by the engine's own timing:",
        "12.50 100.0% Convolution",
        "`import lwam_mm.runtime` takes 0.14 s.",
        "| OpenVINO INT8 | 1.50 | 0.75 | 0.08 | 298 |",
        "- Random weights: the teacher.",
        "| OpenVINO INT8 at least 8 times as fast as folded eager | 12.5 x | yes |",
        "| OpenVINO INT8 within 1.3 times the machine's roofline | 1.25 x | yes |",
        "| OpenVINO float at least 2.2 times as fast as folded eager | - | not measured |",
    ):
        assert line in lines, line
    assert "png" not in RUN.markdown()


def test_the_targets_are_for_one_size():
    assert "## Targets" in RUN.markdown()
    assert "## Targets" not in BenchmarkRun(RUN.candidates, size=512).markdown()


def test_the_csv_is_unrounded():
    rows = list(csv.DictReader(io.StringIO(RUN.csv_text())))
    assert list(rows[0]) == [
        "key", "model", "parameters", "macs", "megabytes", "miou", "p50_ms", "p95_ms", "p99_ms",
        "calls", "peak_mb", "products_ms", "memory_ms", "share_of_ceiling", "notes",
    ]  # fmt: skip
    assert [row["key"] for row in rows] == [
        *("teacher", "folded", "openvino-int8", "cgnet", "products-openvino-int8", "memory-copy")
    ]
    assert float(rows[2]["miou"]) == 71.234
    assert (float(rows[2]["p95_ms"]), float(rows[2]["p99_ms"])) == (80.0, 99.0)
    assert rows[2]["calls"] == "100"
    assert float(rows[2]["share_of_ceiling"]) == pytest.approx(0.8)
    assert rows[3]["p50_ms"] == rows[3]["calls"] == ""
    assert rows[3]["notes"].startswith("not measured")


def test_a_picture_of_what_is_known():
    timing = Timing([10.0, 20.0])
    with_miou = [Candidate("a", "a", miou=70.0, timing=timing), Candidate("b", "b", timing=timing)]
    without = [Candidate("a", "a", parameters=4_000_000, timing=timing)]
    pictures = [draw(with_miou), draw(without)]
    for data in pictures:
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
    assert pictures[0] != pictures[1]
    assert draw(with_miou) == pictures[0]
    assert draw([Candidate("a", "a"), Candidate("b", "b", timing=timing)]) is None
