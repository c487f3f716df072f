"""The benchmark's picture: what a model is worth over the time that it takes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure

from lwam_mm.lab.benchmark.row import Result


def draw(results: Sequence[Result]) -> bytes | None:
    """Draw mIoU over the median latency; where no mIoU is known, the number of parameters.

    Args:
        results: the rows.

    Returns:
        A PNG file's bytes; None if there is no point to draw.
    """
    known = any(result.miou is not None for result in results)
    points = [
        (result, result.miou if known else result.parameters / 1e6)
        for result in results
        if result.latency is not None
        and (result.miou is not None if known else result.parameters is not None)
    ]
    if not points:
        return None
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    colours = matplotlib.colormaps["tab20"].colors
    for index, (result, height) in enumerate(points):
        axes.plot(
            result.latency.p50,
            height,
            marker="osD^v"[index // len(colours) % 5],
            linestyle="",
            color=colours[index % len(colours)],
            label=result.title,
        )
        axes.hlines(
            height, result.latency.p50, result.latency.p99, color=colours[index % len(colours)]
        )
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds an image: median, the line up to p99 (log scale)")
    axes.set_ylabel("mIoU in %" if known else "million parameters")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside right center", fontsize="small", frameon=False)
    data = io.BytesIO()
    # The version and the date would make every file another one.
    figure.savefig(data, format="png", dpi=120, metadata={"Software": None})
    return data.getvalue()
