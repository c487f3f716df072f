"""The benchmark's page: tables in Markdown, and all figures as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lwam_mm.lab.benchmark.profile import format_profile
from lwam_mm.lab.benchmark.row import Result
from lwam_mm.lab.benchmark.startup import StartUp
from lwam_mm.lab.benchmark.targets import Verdict
from lwam_mm.lab.pages.table import format_amount, format_parameters, format_percent

if TYPE_CHECKING:
    from lwam_mm.lab.benchmark.report import Report

_MISSING = "-"
_LAYERS = 12
_HEADINGS = (
    "model", "parameters", "GMACs", "MB", "mIoU %", "ms p50", "p95", "p99", "calls",
    "against teacher", "against folded", "peak MB", "of the ceiling",
)  # fmt: skip
_CSV_HEADINGS = (
    "key", "model", "parameters", "macs", "megabytes", "miou", "p50_ms", "p95_ms", "p99_ms",
    "calls", "peak_mb", "share_of_ceiling", "notes",
)  # fmt: skip
_EXPLANATION = (
    "Milliseconds of one image, batch 1. Each row runs in a process of its own; the rows take "
    "turns, one call each a round, and a row that takes a second or more has its turn in every "
    "second round, third round and so on. Where there are fewer than 100 calls, p99 is the "
    "slowest. Inference goes from a normalised tensor to logits at full size; PNG to class map is "
    "all that happens beside the machine: reading and decoding a grey PNG file, inference, labels "
    "and pixel counts. "
    '"Against" is how many times as fast as the teacher and the folded student in torch. GMACs are '
    "multiply-accumulates of convolutions and matrix products as they are defined. The ceiling is "
    "the rate of plain matrix products in the same engine and precision, measured in the same "
    "rounds (for ncnn those of OpenVINO). Peak memory is that of the whole process, libraries "
    "included."
)


def table_rows(results: Sequence[Result], shares: Mapping[str, float]) -> list[list[str]]:
    """Write each row's figures as texts, under the headings of the table.

    Args:
        results: the rows, those of the ceiling left out.
        shares: the share of the machine's ceiling in 0..1, by key.
    """
    medians = {r.key: r.latency.p50 for r in results if r.latency is not None}
    rows = []
    for result in results:
        latency = result.latency
        times = [None] * 3 if latency is None else [latency.p50, latency.p95, latency.p99]
        own = medians.get(result.key)
        against = [
            f"{medians[other] / own:.2f}x" if own and other in medians else _MISSING
            for other in ("teacher", "folded")
        ]
        rows.append(
            [
                result.title,
                format_parameters(result.parameters),
                format_amount(None if result.macs is None else result.macs / 1e9),
                format_amount(result.megabytes),
                format_percent(result.miou),
                *map(format_amount, times),
                str(latency.calls) if latency else _MISSING,
                *against,
                format_amount(result.peak),
                f"{shares[result.key]:.0%}" if result.key in shares else _MISSING,
            ]
        )
    return rows


def markdown(report: Report, picture: str | None = None) -> str:
    """Write the page.

    Args:
        report: what was measured.
        picture: the picture's file name; None for none.
    """
    results = report.results
    parts = [
        "# Benchmark",
        bullets([f"{what}: {value}" for what, value in report.machine.items()]),
    ]
    parts += ["## Latency", table(_HEADINGS, table_rows(results, report.shares)), _EXPLANATION]
    rows_notes = [f"{result.title}: {note}" for result in results for note in result.notes]
    if rows_notes or report.notes:
        parts.append(bullets([*rows_notes, *report.notes]))
    if picture:
        parts.append(f"![Every row over its latency]({picture})")
    if report.ceilings:
        parts += ["## The machine's ceiling", _ceiling_table(report.ceilings)]
    if report.profiles:
        parts.append("## Where the time goes")
        parts += [
            f"{title}, by the engine's own count:\n\n```\n{format_profile(layers, _LAYERS)}\n```"
            for title, layers in report.profiles.items()
        ]
    if report.starts or report.import_seconds is not None:
        parts.append("## A fresh process")
    if report.import_seconds is not None:
        parts.append(f"`import lwam_mm.runtime` takes {report.import_seconds:.2f} s.")
    if report.starts:
        parts.append(_starts_table(report.starts))
    if report.verdicts:
        parts += ["## Targets", _targets_table(report.verdicts)]
    return "\n\n".join(parts) + "\n"


def csv_text(results: Sequence[Result], shares: Mapping[str, float]) -> str:
    """Write all figures unrounded; empty cells stand for "not measured"."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_HEADINGS)
    for result in results:
        latency = result.latency
        times = [latency.p50, latency.p95, latency.p99, latency.calls] if latency else [None] * 4
        writer.writerow(
            [
                result.key,
                result.title,
                result.parameters,
                result.macs,
                result.megabytes,
                result.miou,
                *times,
                result.peak,
                shares.get(result.key),
                "; ".join(result.notes),
            ]
        )
    return text.getvalue()


def _ceiling_table(ceilings: Sequence[Result]) -> str:
    rows = [[c.title, format_amount(c.rate and c.rate / 1e9), "; ".join(c.notes)] for c in ceilings]
    return table(("what", "GMAC/s", ""), rows)


def _starts_table(starts: Sequence[StartUp]) -> str:
    rows = [
        [
            s.title,
            *(f"{seconds:.2f}" for seconds in (s.first_ever, s.start, s.later)),
            format_amount(s.peak),
        ]
        for s in starts
    ]
    headings = ("what", "first prediction ever, s", "of the next process, s", "later ones, s")
    return table((*headings, "peak MB"), rows)


def _targets_table(verdicts: Sequence[Verdict]) -> str:
    rows = []
    for verdict in verdicts:
        measured, unit = verdict.measured, verdict.target.unit
        shown = _MISSING if measured is None else f"{measured:.2f} {unit}"
        rows.append([verdict.target.wording, shown, verdict.answer])
    return table(("target", "measured", "reached"), rows)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown, its columns but the first aligned to the right."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def bullets(lines: Sequence[str]) -> str:
    """Write a list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)
