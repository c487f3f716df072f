"""What the benchmark should reach on a CPU with AVX-512 VNNI: 1024x1024, one image, two threads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lwam_mm.lab.pages.table import markdown_table

SIZE = 1024
"""Height and width in pixels that :data:`TARGETS` are for."""


@dataclass(frozen=True)
class Target:
    """A bound on a measured figure or on the ratio of two.

    Attributes:
        wording: What the page says.
        figure: Name of the figure.
        over: Name of the figure that it is divided by; empty for none.
        at_least: Lower bound.
        at_most: Upper bound.
        unit: Unit of the number, ``"x"`` for a ratio.
    """

    wording: str
    figure: str
    over: str = ""
    at_least: float = -math.inf
    at_most: float = math.inf
    unit: str = "x"

    def measure(self, figures: Mapping[str, float]) -> float | None:
        """Return the figure or ratio; None if it was not measured."""
        if self.figure not in figures or (self.over and self.over not in figures):
            return None
        return figures[self.figure] / (figures[self.over] if self.over else 1)

    def answer(self, figures: Mapping[str, float]) -> str:
        """Return ``"yes"``, ``"no"`` or ``"not measured"``."""
        measured = self.measure(figures)
        if measured is None:
            return "not measured"
        return "yes" if self.at_least <= measured <= self.at_most else "no"


def _float_and_int8(
    wording: str, figure: str, over: str, at_most: tuple[float, float], unit: str = "x"
) -> list[Target]:
    return [
        Target(wording.format(limit=limit, precision=precision), key + figure,
               over and key + over, at_most=limit, unit=unit)
        for key, precision, limit in zip(
            ("openvino", "openvino-int8"), ("float", "INT8"), at_most, strict=True
        )
    ]  # fmt: skip


TARGETS = (
    Target("OpenVINO INT8 at least 8 times as fast as folded eager",
           "folded.p50", "openvino-int8.p50", at_least=8),
    Target("OpenVINO INT8 at least 50 times as fast as teacher eager",
           "teacher.p50", "openvino-int8.p50", at_least=50),
    Target("OpenVINO float at least 2.2 times as fast as folded eager",
           "folded.p50", "openvino.p50", at_least=2.2),
    *_float_and_int8("OpenVINO {precision} within {limit} times the machine's roofline",
                     ".over_roofline", "", (1.3, 1.3)),
    *_float_and_int8("PNG to class map at most {limit} times the bare inference, {precision}",
                     "-file.p50", ".p50", (1.15, 1.3)),
    *_float_and_int8("PNG to class map: p99 at most {limit} times p50, {precision}",
                     "-file.p99", "-file.p50", (1.3, 1.3)),
    Target("import of lwam_mm.runtime under 0.5 s", "import", at_most=0.5, unit="s"),
    *_float_and_int8("first prediction, load included, under {limit} s, OpenVINO {precision}",
                     ".start", "", (2, 2), "s"),
    Target("peak memory of the INT8 predictor's process under 400 MB",
           "openvino-int8.peak", at_most=400, unit="MB"),
    *_float_and_int8("tiles of a 3772x3302 frame in under 1 GB, OpenVINO {precision}",
                     ".tiling_peak", "", (1000, 1000), "MB"),
)  # fmt: skip
"""What the benchmark should reach, in the order of the page."""


def targets_table(figures: Mapping[str, float], targets: Sequence[Target] = TARGETS) -> str:
    """Return targets, what was measured and whether it is enough as a Markdown table."""
    rows = []
    for target in targets:
        value, shown = target.measure(figures), "-"
        if value is not None:
            shown = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
            shown = f"{shown} {target.unit}".strip()
        rows.append([target.wording, shown, target.answer(figures)])
    return markdown_table(("target", "measured", "reached"), rows)
