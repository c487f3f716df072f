"""What the benchmark shall reach on a CPU with AVX-512 VNNI, 1024x1024, one image, two threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

SIZE = 1024
"""Height and width in pixels that the targets are for."""

Figures = Mapping[str, float]
"""Measured figures by name: ``KEY.p50`` and ``KEY.p99`` in ms, ``KEY.share`` of the machine's
ceiling in 0..1; ``import`` and ``KEY.start`` in s, ``KEY.peak`` and ``KEY.tiling_peak`` in MB."""


@dataclass(frozen=True)
class Target:
    """A figure to reach.

    Attributes:
        wording: what it says.
        measure: gets it from the figures; KeyError if one is missing.
        limit: the bound.
        at_least: whether it is a lower bound; else it is an upper one.
        unit: behind the number, ``"x"`` for a ratio.
    """

    wording: str
    measure: Callable[[Figures], float]
    limit: float
    at_least: bool
    unit: str


@dataclass(frozen=True)
class Verdict:
    """A target and what became of it.

    Attributes:
        target: the target.
        measured: the figure; None if it was not measured.
    """

    target: Target
    measured: float | None

    @property
    def reached(self) -> bool | None:
        """Whether it was reached; None if not measured."""
        if self.measured is None:
            return None
        limit = self.target.limit
        return self.measured >= limit if self.target.at_least else self.measured <= limit

    @property
    def answer(self) -> str:
        """``"yes"``, ``"no"`` or ``"not measured"``."""
        return {True: "yes", False: "no", None: "not measured"}[self.reached]


def _ratio(above: str, below: str) -> Callable[[Figures], float]:
    return lambda figures: figures[above] / figures[below]


def _figure(name: str) -> Callable[[Figures], float]:
    return lambda figures: figures[name]


def _beyond_ceiling(key: str) -> Callable[[Figures], float]:
    return lambda figures: 1 / figures[f"{key}.share"]


TARGETS = (
    Target(
        "OpenVINO INT8 at least 8 times as fast as folded eager",
        _ratio("folded.p50", "openvino-int8.p50"), 8, True, "x",
    ),
    Target(
        "OpenVINO INT8 at least 50 times as fast as teacher eager",
        _ratio("teacher.p50", "openvino-int8.p50"), 50, True, "x",
    ),
    Target(
        "OpenVINO float at least 2.2 times as fast as folded eager",
        _ratio("folded.p50", "openvino.p50"), 2.2, True, "x",
    ),
    Target(
        "OpenVINO float within 1.3 times the machine's ceiling",
        _beyond_ceiling("openvino"), 1.3, False, "x",
    ),
    Target(
        "OpenVINO INT8 within 1.3 times the machine's ceiling",
        _beyond_ceiling("openvino-int8"), 1.3, False, "x",
    ),
    Target(
        "PNG to class map at most 1.15 times the bare inference, float",
        _ratio("openvino-file.p50", "openvino.p50"), 1.15, False, "x",
    ),
    Target(
        "PNG to class map at most 1.3 times the bare inference, INT8",
        _ratio("openvino-int8-file.p50", "openvino-int8.p50"), 1.3, False, "x",
    ),
    Target(
        "PNG to class map: p99 at most 1.3 times p50, float",
        _ratio("openvino-file.p99", "openvino-file.p50"), 1.3, False, "x",
    ),
    Target(
        "PNG to class map: p99 at most 1.3 times p50, INT8",
        _ratio("openvino-int8-file.p99", "openvino-int8-file.p50"), 1.3, False, "x",
    ),
    Target("import of lwam_mm.runtime under 0.5 s", _figure("import"), 0.5, False, "s"),
    Target(
        "first prediction, load included, under 2 s, OpenVINO float",
        _figure("openvino.start"), 2, False, "s",
    ),
    Target(
        "first prediction, load included, under 2 s, OpenVINO INT8",
        _figure("openvino-int8.start"), 2, False, "s",
    ),
    Target(
        "peak memory of the INT8 predictor's process under 400 MB",
        _figure("openvino-int8.peak"), 400, False, "MB",
    ),
    Target(
        "tiles of a 3772x3302 frame in under 1 GB, OpenVINO float",
        _figure("openvino.tiling_peak"), 1000, False, "MB",
    ),
    Target(
        "tiles of a 3772x3302 frame in under 1 GB, OpenVINO INT8",
        _figure("openvino-int8.tiling_peak"), 1000, False, "MB",
    ),
)  # fmt: skip


def judge(figures: Figures) -> list[Verdict]:
    """Hold figures against the targets; those whose figures are missing stay unjudged."""
    verdicts = []
    for target in TARGETS:
        try:
            measured = target.measure(figures)
        except KeyError:
            measured = None
        verdicts.append(Verdict(target, measured))
    return verdicts
