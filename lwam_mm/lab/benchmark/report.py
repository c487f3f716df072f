"""The benchmark's result and its files: a page in Markdown, all figures as CSV, a picture."""

from __future__ import annotations

import contextlib
import csv
import importlib.metadata
import io
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lwam_mm.lab.benchmark.candidates import COPY, Candidate
from lwam_mm.lab.benchmark.targets import SIZE, targets_table
from lwam_mm.lab.benchmark.timing import StartUp
from lwam_mm.lab.pages.table import (
    MISSING,
    format_amount,
    format_parameters,
    format_percent,
    markdown_table,
)
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.version import __version__

_PACKAGES = ("torch", "mmsegmentation", "mmdeploy", "onnxruntime", "openvino", "nncf", "ncnn")
_CPUINFO = Path("/proc/cpuinfo")
_RELEVANT_INSTRUCTION_SETS = (
    "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16",
    "amx_int8", "asimd", "asimddp", "i8mm", "bf16",
)  # fmt: skip
_HEADINGS = (
    "model", "parameters", "GMACs", "MB", "mIoU %", "ms p50", "p95", "p99", "calls",
    "against teacher", "against folded", "peak MB", "products ms", "memory ms", "of the roofline",
)  # fmt: skip
_START_HEADINGS = (
    "what", "first prediction ever, s", "of the next process, s", "later ones, s", "peak MB",
)  # fmt: skip
_EXPLANATION = (
    "Times are milliseconds per image at batch size 1. Each row runs in its own process, and the "
    "rows are timed interleaved, one call per round; a row that takes a second or more runs in "
    "every second round, third round and so on. With fewer than 100 calls, p99 is the slowest. "
    "Inference goes from a normalised tensor to logits at full size; PNG to class map is "
    "everything that happens at the machine: reading and decoding a grey PNG file, inference, "
    'labels and pixel counts. "Against" is the speed-up over the teacher and over the folded '
    "student in torch. GMACs are multiply-accumulates of convolutions and matrix products as they "
    "are defined. Products and memory are the two parts of the roofline: the time of as many "
    "multiply-accumulates in plain matrix products, in the same engine and precision (for ncnn in "
    "OpenVINO), and the time to copy as many bytes as the layers with weights read and write. The "
    "roofline is the longer of the two. Both rates are measured in the same rounds. What is still "
    "in a cache is quicker than a copy, so the second part is no strict bound. Peak memory is that "
    "of the whole process, libraries included."
)


def describe_environment(tool: str, threads: int) -> dict[str, str]:
    """Describe machine, software, the command of a tool, and date, as texts by name."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": cpu_model(),
        "instruction sets": ", ".join(instruction_sets()) or "unknown",
        "usable processors": str(cpus),
        "load average at the start": f"{os.getloadavg()[0]:.1f}",
        "threads": str(threads),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "command": shlex.join(["python", tool, *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


def cpu_model() -> str:
    """Return the processor's name."""
    return _cpuinfo_field("model name") or platform.processor() or platform.machine()


def instruction_sets() -> list[str]:
    """Return the processor's instruction sets that matter to inference."""
    flags = _cpuinfo_field("flags|Features").split()
    return [name for name in _RELEVANT_INSTRUCTION_SETS if name in flags]


def versions() -> dict[str, str]:
    """Return the version of each installed package that takes part."""
    found = {"lwam_mm": __version__}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


@dataclass
class BenchmarkRun:
    """Everything that a benchmark measured.

    Attributes:
        candidates: The rows of the table.
        rooflines: The matrix products.
        starts: Fresh processes by the name of their figures in the targets, such as
            ``"openvino"``, followed by ``" tiles"`` for a whole camera frame.
        import_seconds: Duration of ``import lwam_mm.runtime``; None if not measured.
        profiles: Layer times as text, by title of the row.
        environment: What it was measured on, as texts by name.
        notes: What else a reader has to know.
        size: Height and width of the images in pixels.
    """

    candidates: list[Candidate]
    rooflines: list[Candidate] = field(default_factory=list)
    starts: dict[str, StartUp] = field(default_factory=dict)
    import_seconds: float | None = None
    profiles: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    size: int = SIZE

    @property
    def shares(self) -> dict[str, float]:
        """Share of the machine's roofline by key, where it is known; 1 is on it."""
        bounds = self.bounds
        return {
            c.key: max(bounds[c.key]) / c.timing.median
            for c in self.candidates
            if c.key in bounds and c.timing.median
        }

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Milliseconds of the matrix products and of the memory traffic by key, where known."""
        by_key = {c.key: c for c in self.rooflines if c.timing.median}
        copy = by_key.get(COPY)
        found = {}
        for c in self.candidates:
            products = by_key.get(c.roofline)
            if products and products.macs and c.macs:
                memory = 0.0
                if copy and copy.traffic and c.traffic:
                    memory = copy.timing.median * c.traffic / copy.traffic
                found[c.key] = (products.timing.median * c.macs / products.macs, memory)
        return found

    def figures(self) -> dict[str, float]:
        """Return the figures that the targets are about.

        Returns:
            Figures by name: ``KEY.p50`` and ``KEY.p99`` in ms, ``KEY.over_roofline`` as the ratio
            of its time to the roofline's; ``import`` and ``KEY.start`` in s; ``KEY.peak`` and
            ``KEY.tiling_peak`` in MB.
        """
        found = {"import": self.import_seconds}
        for candidate in self.candidates:
            key, timing = candidate.key, candidate.timing
            found |= {f"{key}.p50": timing.median, f"{key}.p99": timing.percentile(99)}
        found |= {f"{key}.over_roofline": 1 / share for key, share in self.shares.items()}
        for name, start in self.starts.items():
            key, _, tiles = name.partition(" ")
            if tiles:
                found[f"{key}.tiling_peak"] = start.peak
            else:
                found |= {f"{key}.start": start.start, f"{key}.peak": start.peak}
        return {name: value for name, value in found.items() if value is not None}

    def table_rows(self) -> list[list[str]]:
        """Return the cells of the latency table."""
        medians = {c.key: c.timing.median for c in self.candidates}
        shares, bounds = self.shares, self.bounds

        def speed_up(candidate: Candidate, over: str) -> str:
            own, other = candidate.timing.median, medians.get(over)
            return f"{other / own:.2f}x" if own and other else MISSING

        return [
            [
                c.title,
                format_parameters(c.parameters),
                format_amount(c.macs and c.macs / 1e9),
                format_amount(c.megabytes),
                format_percent(c.miou),
                format_amount(c.timing.median),
                format_amount(c.timing.percentile(95)),
                format_amount(c.timing.percentile(99)),
                str(len(c.timing.milliseconds) or MISSING),
                speed_up(c, "teacher"),
                speed_up(c, "folded"),
                format_amount(c.timing.peak),
                *(format_amount(part) for part in bounds.get(c.key, (None, None))),
                f"{shares[c.key]:.0%}" if c.key in shares else MISSING,
            ]
            for c in self.candidates
        ]

    def markdown(self, picture: str | None = None) -> str:
        """Return the page; ``picture`` is the picture's file name, None for no picture."""
        notes = [f"{c.title}: {note}" for c in self.candidates for note in c.notes]
        parts = [
            "# Benchmark",
            bullets(f"{name}: {value}" for name, value in self.environment.items()),
            "## Latency",
            markdown_table(_HEADINGS, self.table_rows()),
            _EXPLANATION,
            bullets([*notes, *self.notes]),
        ]
        if picture:
            parts.append(f"![mIoU or size of every row over its latency]({picture})")
        if self.rooflines:
            rows = [
                [
                    c.title,
                    format_amount(c.rate and c.rate / 1e9),
                    format_amount(c.bandwidth and c.bandwidth / 1e9),
                    "; ".join(c.notes),
                ]
                for c in self.rooflines
            ]
            table = markdown_table(("what", "GMAC/s", "GB/s", ""), rows)
            parts += ["## The machine's roofline", table]
        if self.profiles:
            parts.append("## Where the time goes")
            parts += [
                f"{title}, by the engine's own timing:\n\n```\n{text}\n```"
                for title, text in self.profiles.items()
            ]
        if self.starts or self.import_seconds is not None:
            parts.append("## A fresh process")
        if self.import_seconds is not None:
            parts.append(f"`import lwam_mm.runtime` takes {self.import_seconds:.2f} s.")
        if self.starts:
            rows = [
                [s.title, *(f"{seconds:.2f}" for seconds in (s.first_ever, s.start, s.later)),
                 format_amount(s.peak)]
                for s in self.starts.values()
            ]  # fmt: skip
            parts.append(markdown_table(_START_HEADINGS, rows))
        if self.size == SIZE:  # the targets are for this size
            parts += ["## Targets", targets_table(self.figures())]
        return "\n\n".join(filter(None, parts)) + "\n"

    def csv_text(self) -> str:
        """Return all figures unrounded; empty cells stand for "not measured"."""
        shares, bounds = self.shares, self.bounds
        rows = [
            dict(
                key=c.key,
                model=c.title,
                parameters=c.parameters,
                macs=c.macs,
                megabytes=c.megabytes,
                miou=c.miou,
                p50_ms=c.timing.median,
                p95_ms=c.timing.percentile(95),
                p99_ms=c.timing.percentile(99),
                calls=len(c.timing.milliseconds) or None,
                peak_mb=c.timing.peak,
                products_ms=bounds.get(c.key, (None, None))[0],
                memory_ms=bounds.get(c.key, (None, None))[1],
                share_of_ceiling=shares.get(c.key),  # the column's name since the first release
                notes="; ".join(c.notes),
            )
            for c in [*self.candidates, *self.rooflines]
        ]
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def write(self, folder: Path) -> None:
        """Write ``benchmark.md``, ``.csv`` and ``.png``, each completely or not at all."""
        picture = draw(self.candidates)
        if picture is not None:
            write_atomically(folder / "benchmark.png", picture)
        write_atomically(folder / "benchmark.csv", self.csv_text().encode())
        page = self.markdown("benchmark.png" if picture is not None else None)
        write_atomically(folder / "benchmark.md", page.encode())


def draw(candidates: Sequence[Candidate]) -> bytes | None:
    """Draw mIoU over median latency as a PNG file, or parameters where no mIoU is known.

    Returns None if there is nothing to draw.
    """
    known = any(c.miou is not None for c in candidates)
    heights = [c.miou if known else c.parameters and c.parameters / 1e6 for c in candidates]
    points = [
        (c, height)
        for c, height in zip(candidates, heights, strict=True)
        if c.timing.milliseconds and height is not None
    ]
    if not points:
        return None
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    families = list(dict.fromkeys(_family(c) for c, _ in points))
    colours = dict(zip(families, matplotlib.colormaps["tab20"].colors * 2, strict=False))
    for c, height in points:
        colour = colours[_family(c)]
        axes.plot(c.timing.median, height, "o", color=colour)
        axes.hlines(height, c.timing.median, c.timing.percentile(99), color=colour)
        label = c.title.removeprefix(_family(c)).removeprefix(", ") or c.title
        axes.annotate(
            label, (c.timing.median, height), xytext=(3, 3), textcoords="offset points",
            fontsize=6, color=colour, rotation=30,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds per image: median, the line up to p99 (log scale)")
    axes.set_ylabel("mIoU in %" if known else "million parameters")
    axes.grid(alpha=0.3, which="both")
    dots = [Line2D([], [], marker="o", linestyle="", color=colours[name]) for name in families]
    figure.legend(dots, families, loc="outside right center", fontsize="small", frameon=False)
    data = io.BytesIO()
    # Without matplotlib's version, so that equal figures give equal files.
    figure.savefig(data, format="png", dpi=120, metadata={"Software": None})
    return data.getvalue()


def _family(candidate: Candidate) -> str:
    """Return the network that a row is a form of; its forms have one colour."""
    return candidate.title.partition(",")[0]


def bullets(lines: Iterable[str]) -> str:
    """Return a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def _cpuinfo_field(names: str) -> str:
    cpuinfo = _CPUINFO.read_text() if _CPUINFO.is_file() else ""
    found = re.search(rf"^(?:{names})\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else ""
