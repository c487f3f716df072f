"""Runs the monitor on thousands of layers, and measures whether it stays as quick and as small."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.datasets.synthetic import draw_layer, make_build
from lwam_mm.lab.pages.table import markdown_table
from lwam_mm.monitor.config.config import parse_config
from lwam_mm.monitor.loop import Monitor
from lwam_mm.monitor.record.store import Record
from lwam_mm.runtime import Prediction, Predictor

POLL_S = 0.02
STABLE_POLLS = 1
_DRAWN = 12  # layers that are drawn; the others vary these
_DEFECT_EVERY = 50
_CONFIG = """
[watch]
folder = {folder}
pattern = '(?P<build>[a-z]+)_(?P<layer>[0-9]+)[.]jpg'
poll_s = {poll}
stable_polls = {stable}
[model]
bundle = {bundle}
threads = {threads}
[record]
folder = {record}
[[policy.rules]]
class_name = {critical}
severity = "critical"
least_area_px = 200
layers = 2
of = 3
"""


@dataclass
class SoakResult:
    """What was measured, layer by layer.

    Attributes:
        recorded_ms: From the file's last byte to the committed transaction.
        predictor_ms: The predictor alone.
        memory_mb: Resident memory after each layer, MB (10^6 bytes).
        database_mb: Size of the database at the end.
        masks_mb: Size of the masks at the end.
    """

    recorded_ms: list[float] = field(default_factory=list)
    predictor_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    database_mb: float = 0.0
    masks_mb: float = 0.0

    def table(self) -> str:
        """Return the figures and the aims as Markdown."""
        recorded = np.percentile(self.recorded_ms, (50, 99))
        predictor = np.percentile(self.predictor_ms, (50, 99))
        # A file is complete when it has stood still; a poll before that it may just be missed.
        polls = 1000 * POLL_S * (STABLE_POLLS + 1)
        thousand = min(1000, len(self.memory_mb) // 3)
        second = float(np.median(self.memory_mb[thousand : 2 * thousand]))
        last = float(np.median(self.memory_mb[-thousand:]))
        rows = [
            ["layers", f"{len(self.recorded_ms):,}", ""],
            ["file complete to verdict recorded, p50, ms", f"{recorded[0]:.0f}", ""],
            ["the same, p99, ms", f"{recorded[1]:.0f}",
             f"at most {1.5 * predictor[1] + polls:.0f}"],
            ["predictor alone, p50, ms", f"{predictor[0]:.0f}", ""],
            ["predictor alone, p99, ms", f"{predictor[1]:.0f}", ""],
            ["waiting for polls, at most, ms", f"{polls:.0f}", ""],
            [f"memory, layers {thousand:,} to {2 * thousand:,}, MB", f"{second:.0f}", ""],
            [f"memory, last {thousand:,}, MB", f"{last:.0f}", f"at most {1.05 * second:.0f}"],
            ["database, MB", f"{self.database_mb:.1f}", ""],
            ["masks, MB", f"{self.masks_mb:.1f}", ""],
        ]  # fmt: skip
        return markdown_table(("what", "measured", "aim"), rows)


class TimedPredictor(Predictor):
    """A predictor that notes how long each call takes."""

    def __init__(self, bundle: Path, threads: int | None) -> None:
        super().__init__(bundle, threads=threads)
        self.milliseconds: list[float] = []

    def __call__(self, *arguments: object, **options: object) -> Prediction:
        """See `Predictor`."""
        begun = time.perf_counter()
        found = super().__call__(*arguments, **options)
        self.milliseconds.append(1000 * (time.perf_counter() - begun))
        return found


def soak(
    bundle: Path, folder: Path, layers: int, size: int, threads: int, say: Callable[[str], None]
) -> SoakResult:
    """Run the monitor on a build of drawn layers, each written when the one before is recorded.

    Args:
        bundle: The bundle.
        folder: New folder for layers and record; the layers are removed once they are recorded.
        layers: Number of layers.
        size: Height and width of a layer, px.
        threads: Threads of the engine.
        say: Gets a line when the layers begin, and every 100 layers.
    """
    watched = folder / "layers"
    watched.mkdir(parents=True)
    predictor = TimedPredictor(bundle, threads)
    text = _CONFIG.format(
        folder=repr(str(watched.absolute())), bundle=repr(str(bundle.absolute())),
        record=repr(str((folder / "record").absolute())), poll=POLL_S, stable=STABLE_POLLS,
        threads=threads, critical=repr(predictor.classes[1]),
    )  # fmt: skip
    config = parse_config(text, folder / "monitor.toml")
    record = Record(config.record.folder)
    result, done = SoakResult(), queue.Queue[str]()
    monitor = Monitor(config, text, predictor, record, say=done.put)
    stop = threading.Event()
    thread = threading.Thread(target=monitor.run, kwargs={"stop": stop}, daemon=True)
    thread.start()
    try:
        for number, data in zip(range(1, layers + 1), _frames(size), strict=False):
            path = watched / f"soak_{number:06d}.jpg"
            unfinished = folder / "unfinished"
            unfinished.write_bytes(data)
            begun = time.perf_counter()
            unfinished.rename(path)
            line = done.get(timeout=120)
            result.recorded_ms.append(1000 * (time.perf_counter() - begun))
            if f"layer {number} " not in line:
                raise RuntimeError(f"layer {number} was not recorded: {line}")
            path.unlink()
            result.memory_mb.append(resident_mb())
            if number in (1, layers) or number % 100 == 0:
                say(f"{number} layers, {result.memory_mb[-1]:.0f} MB")
    finally:
        stop.set()
        thread.join(60)
        record.close()
    result.predictor_ms = predictor.milliseconds
    result.database_mb = _size_mb(folder / "record", "record.sqlite*")
    result.masks_mb = _size_mb(folder / "record" / "masks", "*/*.png")
    return result


def resident_mb() -> float:
    """Return this process's resident memory in MB (10^6 bytes)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _frames(size: int) -> Iterator[bytes]:
    """Yield layers as JPEG: drawn ones, varied by their noise, some with a defect."""
    build = make_build(0, 2000, size, 2 * _DRAWN)
    plain = [draw_layer(build, n, with_defects=False)[0] for n in range(_DRAWN)]
    defects = [draw_layer(build, n + _DRAWN)[0] for n in range(_DRAWN)]
    rng = np.random.default_rng(0)
    noise = [rng.normal(0, 3, plain[0].shape).astype(np.int8) for _ in range(7)]
    for number in itertools.count():
        pool = defects if number % _DEFECT_EVERY == _DEFECT_EVERY - 1 else plain
        image = cv2.add(pool[number % _DRAWN], noise[number % len(noise)], dtype=cv2.CV_8U)
        # Its number makes each image differ: the monitor takes the same image twice for a camera
        # that stands still.
        cv2.putText(image, str(number), (8, size - 8), cv2.FONT_HERSHEY_PLAIN, 1, 90)
        yield cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _size_mb(folder: Path, pattern: str) -> float:
    return sum(path.stat().st_size for path in folder.glob(pattern)) / 1e6
