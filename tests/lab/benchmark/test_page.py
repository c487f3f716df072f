from __future__ import annotations

import csv
import io

from lwam_mm.lab.benchmark.latency import summarise
from lwam_mm.lab.benchmark.page import csv_text, markdown, table_rows
from lwam_mm.lab.benchmark.profile import Layer
from lwam_mm.lab.benchmark.report import Report
from lwam_mm.lab.benchmark.row import Result
from lwam_mm.lab.benchmark.startup import StartUp
from lwam_mm.lab.benchmark.targets import judge

RESULTS = [
    Result("teacher", "teacher, eager", latency=summarise([4000.0])),
    Result("folded", "student, folded", 3_658_822, 83_080_773_632, latency=summarise([1000.0])),
    Result(
        "openvino-int8",
        "student, INT8",
        parameters=3_658_822,
        macs=83_080_773_632,
        miou=71.234,
        ceiling="products-openvino-int8",
        megabytes=3.904,
        latency=summarise([80.0] * 99 + [123.4]),
        peak=298.4,
    ),
    Result("cgnet", "CGNet | eager", notes=("not measured: RuntimeError: no such operator",)),
]
CEILINGS = [
    Result("products-openvino-int8", "products, INT8", macs=10**9, latency=summarise([1.0]))
]
SHARES = {"openvino-int8": 0.83}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_a_row_in_the_table():
    row = table_rows(RESULTS, SHARES)[2]
    assert row == [
        "student, INT8", "3.659 M", "83.1", "3.90", "71.23", "80.0", "80.0", "80.0", "100",
        "50.00x", "12.50x", "298", "83%",
    ]  # fmt: skip


def test_a_row_that_failed_stays_and_says_why():
    row = table_rows(RESULTS, SHARES)[3]
    assert row == ["CGNet | eager", *["-"] * 12]
    page = page_of()
    assert "- CGNet | eager: not measured: RuntimeError: no such operator" in page
    assert r"| CGNet \| eager | - |" in page


def page_of(picture: str | None = None) -> str:
    return markdown(
        Report(
            results=RESULTS,
            ceilings=CEILINGS,
            shares=SHARES,
            starts=[StartUp("OpenVINO INT8", 1.5, 0.75, 0.08, 298.4)],
            import_seconds=0.14,
            profiles={"student, INT8": [Layer("stem", "Convolution", "jit_i8", 12.5)]},
            verdicts=judge({"folded.p50": 1000.0, "openvino-int8.p50": 80.0, "import": 0.14}),
            machine={"processor": "A Processor"},
            notes=["Weights drawn at random: the teacher."],
        ),
        picture,
    )


def test_the_page_holds_it_all():
    page = page_of("benchmark.png")
    for text in (
        "- processor: A Processor",
        "![Every row over its latency](benchmark.png)",
        "| products, INT8 | 1,000 |",
        "student, INT8, by the engine's own count:",
        "12.50  100.0%  Convolution",
        "`import lwam_mm.runtime` takes 0.14 s.",
        "| OpenVINO INT8 | 1.50 | 0.75 | 0.08 | 298 |",
        "- Weights drawn at random: the teacher.",
        "| OpenVINO INT8 at least 8 times as fast as folded eager | 12.50 x | yes |",
        "| OpenVINO INT8 at least 50 times as fast as teacher eager | - | not measured |",
    ):
        assert text in page, text
    assert "png" not in page_of()


def test_every_table_line_has_as_many_cells_as_its_heading():
    page = page_of().replace(r"\|", "")
    for block in page.split("\n\n"):
        if block.startswith("| "):
            assert len({len(cells(line)) for line in block.splitlines()}) == 1


def test_the_csv_is_unrounded():
    rows = list(csv.DictReader(io.StringIO(csv_text(RESULTS, SHARES))))
    assert [row["key"] for row in rows] == ["teacher", "folded", "openvino-int8", "cgnet"]
    assert float(rows[2]["miou"]) == 71.234
    assert float(rows[2]["p99_ms"]) == 80.0
    assert rows[2]["calls"] == "100"
    assert rows[2]["share_of_ceiling"] == "0.83"
    assert rows[3]["p50_ms"] == ""
    assert rows[3]["notes"].startswith("not measured")
