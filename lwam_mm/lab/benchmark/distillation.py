"""How quick a distillation is, beside MMRazor's own algorithm."""

from __future__ import annotations

import copy
import json
import math
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from mmengine.config import Config

from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.lab.benchmark.distillation_rows import ROWS, STOCK
from lwam_mm.lab.benchmark.machine import describe
from lwam_mm.lab.benchmark.models import write_random_weights
from lwam_mm.lab.benchmark.page import bullets, table
from lwam_mm.lab.benchmark.pictures import draw_layers
from lwam_mm.lab.benchmark.targets import Target, Verdict
from lwam_mm.lab.benchmark.turns import Worker, WorkerError, take_turns
from lwam_mm.lab.pages.table import format_amount
from lwam_mm.utils.atomic_files import write_atomically

COMPARED_STEPS = 8
"""How many of stock's steps each row computes the losses of."""

_IMAGES = 32
_EXPLANATION = (
    "Each row trains in a process of its own, from the same weights on the same batches; rows take "
    "turns, one step each a round, and a row whose step takes a second or more has its turn in "
    "every second round, third round and so on. Images a second are by the median step: forward, "
    "backward, optimizer. The loss difference is the largest of any loss, relative where stock's "
    f"is above 1: stock took {COMPARED_STEPS} steps beforehand, and the row computes the losses of "
    "each from the weights that stock took it from, so that nothing that happened before makes a "
    "difference. The drift is the same over the timed steps that the row and stock both took, "
    "warming up included, each from the weights that its own steps led to; there the gradients "
    "count as well, and rounding alone adds up from step to step. Peak memory is that of the whole "
    "process, libraries and the making of the teacher's graph included. Freed memory is given back "
    "to the system, which clears it for whoever gets it next, unless it is kept. Waiting for data "
    "is the share of the time of some steps in a row, with the config's data loader, that passes "
    "before the next batch is there."
)


@dataclass(frozen=True)
class Settings:
    """What to measure.

    Attributes:
        config: a distillation's config; of its data only the training pipeline and loader count.
        size: height and width of the images in pixels.
        batch: images a batch.
        threads: threads that each row may use.
        rounds: how many rounds count.
        rows: keys of :data:`~lwam_mm.lab.benchmark.distillation_rows.ROWS`.
        data_steps: steps to measure the waiting for data over, 2 or more; 0 leaves it out.
    """

    config: Config
    size: int = 256
    batch: int = 4
    threads: int = 2
    rounds: int = 40
    rows: tuple[str, ...] = tuple(ROWS)
    data_steps: int = 12


@dataclass(frozen=True)
class Result:
    """What was measured of a row; None where it was not.

    Attributes:
        key: the row's key.
        rate: images a second.
        steps: how many the rate is the median of.
        difference: see :func:`largest_difference`, to stock, each step from the same weights.
        drift: the same of the timed steps, each from the weights that the row's own steps led to.
        peak: peak memory in MB (10^6 bytes).
        waiting: share of the time spent waiting for data, in 0..1.
        error: why there is nothing, or nothing more.
    """

    key: str
    rate: float | None = None
    steps: int = 0
    difference: float | None = None
    drift: float | None = None
    peak: float | None = None
    waiting: float | None = None
    error: str = ""


@dataclass
class Report:
    """What was measured, and on what.

    Attributes:
        results: the rows.
        machine: what they ran on, as texts by name.
        verdicts: the targets and what became of them.
        incomparable: why no row has a loss difference; empty if that is not so.
    """

    results: list[Result]
    machine: dict[str, str]
    verdicts: list[Verdict] = field(default_factory=list)
    incomparable: str = ""

    def markdown(self) -> str:
        """Write the page."""
        rates = {result.key: result.rate for result in self.results}
        stock = rates.get(STOCK)
        rows = [
            [
                ROWS[result.key].title,
                format_amount(result.rate),
                f"{result.rate / stock:.2f}x" if result.rate and stock else "-",
                "-" if result.difference is None else f"{result.difference:.1e}",
                "-" if result.drift is None else f"{result.drift:.1e}",
                format_amount(result.peak),
                "-" if result.waiting is None else f"{result.waiting:.1%}",
                str(result.steps),
            ]
            for result in self.results
        ]
        headings = (
            "distillation", "images/s", "against stock", "loss difference, same weights",
            "drift over own steps", "peak MB", "waiting for data", "steps",
        )  # fmt: skip
        failures = [f"{ROWS[r.key].title}: {r.error}" for r in self.results if r.error]
        if self.incomparable:
            failures.insert(0, self.incomparable)
        judged = [
            [
                v.target.wording,
                "-" if v.measured is None else f"{v.measured:.3g} {v.target.unit}",
                v.answer,
            ]
            for v in self.verdicts
        ]
        parts = [
            "# Distillation, step by step",
            bullets([f"{what}: {value}" for what, value in self.machine.items()]),
            table(headings, rows),
            _EXPLANATION,
            *([bullets(failures)] if failures else []),
            "## Targets",
            table(("target", "measured", "reached"), judged),
        ]
        return "\n\n".join(parts) + "\n"

    def write(self, path: Path) -> None:
        """Write the page into a file, whole or not at all."""
        write_atomically(path, self.markdown().encode())


def run(settings: Settings, progress: Callable[[str], None] = lambda line: None) -> Report:
    """Measure.

    Args:
        settings: what to measure.
        progress: called with one line of text at each step.
    """
    machine = describe(settings.threads)
    machine["command"] = shlex.join(["python", "tools/benchmark_distillation.py", *sys.argv[1:]])
    machine["batch"] = f"{settings.batch} images of {settings.size}x{settings.size} pixels, drawn"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        progress("draw images and weights")
        common = _prepare(settings, folder)
        jobs = {key: _job(common, key) for key in settings.rows}
        differences, failures, incomparable = _compare(
            jobs, _job(common, STOCK), settings.threads, folder, progress
        )
        timed = take_turns(
            {
                key: dict(job, name="distillation_step", losses=str(folder / f"{key}.jsonl"))
                for key, job in jobs.items()
            },
            settings.threads,
            settings.rounds,
            progress,
        )
        losses = {key: _read_losses(folder / f"{key}.jsonl") for key in settings.rows}
        results = []
        for key, measured in timed.items():
            waiting, errors = None, [failures.get(key, ""), measured.error]
            if settings.data_steps and not measured.error:
                progress(f"{key} with its data loader")
                waiting, error = _waiting(jobs[key], settings, folder / f"{key}.json")
                errors.append(error)
            took = measured.milliseconds
            results.append(
                Result(
                    key,
                    rate=1000 * settings.batch / median(took) if took else None,
                    steps=len(took),
                    difference=differences.get(key),
                    drift=largest_difference(losses[key], losses.get(STOCK, [])),
                    peak=measured.peak,
                    waiting=waiting,
                    error="; ".join(dict.fromkeys(filter(None, errors))),
                )
            )
    return Report(results, machine, judge(results), incomparable)


def largest_difference(
    losses: Sequence[Mapping[str, float]], reference: Sequence[Mapping[str, float]]
) -> float | None:
    """Give the largest difference of any loss in the steps that both took; None without any.

    It is relative to the reference where that is above 1, else absolute; infinite where one of
    the two is no number.

    Raises:
        KeyError: a loss of ``reference`` is missing.
    """
    found = [
        abs(own[name] - other[name]) / max(1, abs(other[name]))
        for own, other in zip(losses, reference, strict=False)
        for name in other
    ]
    return max((math.inf if math.isnan(value) else value for value in found), default=None)


def judge(results: Sequence[Result]) -> list[Verdict]:
    """Hold the results against what the distillation shall reach."""
    by_key = {result.key: result for result in results}

    def ratio(key: str, what: str) -> Callable[[Mapping[str, float]], float]:
        return lambda figures: figures[f"{key}.{what}"] / figures[f"{STOCK}.{what}"]

    figures = {
        f"{key}.{what}": getattr(result, what)
        for key, result in by_key.items()
        for what in ("rate", "difference", "peak")
        if getattr(result, what) is not None
    }
    what = {"openvino": "teacher in OpenVINO", "openvino-int8": "INT8 teacher"}
    what |= {f"{key}-keep": f"{title}, freed memory kept" for key, title in what.items()}
    targets = [
        Target(f"{what[key]}: images a second at least {least} times stock's",
               ratio(key, "rate"), least, True, "x")
        for key, least in zip(what, (1.8, 2.3, 1.8, 2.3), strict=True)
    ]  # fmt: skip
    targets.append(
        Target("teacher in OpenVINO: losses within 1e-4 of stock's from the same weights",
               lambda figures: figures["openvino.difference"], 1e-4, False, "")
    )  # fmt: skip
    targets += [
        Target(f"{title}: peak memory at most stock's", ratio(key, "peak"), 1.0, False, "x")
        for key, title in what.items()
    ]
    verdicts = []
    for target in targets:
        try:
            measured = target.measure(figures)
        except KeyError:
            measured = None
        verdicts.append(Verdict(target, measured))
    return verdicts


def _prepare(settings: Settings, folder: Path) -> dict[str, Any]:
    """Write images, weights and config; return what all jobs have in common."""
    generate_dataset(folder / "data", images=_IMAGES, size=settings.size, seed=0)
    config = copy.deepcopy(settings.config)
    loader = config.train_dataloader
    loader.batch_size = settings.batch
    loader.dataset.data_root = str(folder / "data")
    for transform in loader.dataset.pipeline:
        if transform.type == "Resize":
            transform.scale = (settings.size, settings.size)
    config.dump(folder / "config.py")
    pictures = draw_layers(folder / "layers", settings.size, 2)
    model = config.model
    for name, part in (("student", model.architecture), ("teacher", model.teacher)):
        part = {"data_preprocessor": model.architecture.data_preprocessor} | dict(part)
        write_random_weights(Config(dict(model=part)), pictures, folder / f"{name}.pth")
    return dict(
        config=str(folder / "config.py"),
        student=str(folder / "student.pth"),
        teacher=str(folder / "teacher.pth"),
        threads=settings.threads,
    )


def _job(common: Mapping[str, Any], key: str) -> dict[str, Any]:
    row = ROWS[key]
    changes = dict(model=row.model, amp=row.amp, keep_memory=row.keep_memory)
    return dict(training=dict(common, **changes))


def _compare(
    jobs: Mapping[str, Mapping[str, Any]],
    stock: Mapping[str, Any],
    threads: int,
    folder: Path,
    progress: Callable[[str], None],
) -> tuple[dict[str, float | None], dict[str, str], str]:
    """Have stock take steps, and each row compute their losses from the same weights.

    Returns:
        The largest difference by row, why there is none by row, and why there is none at all.
    """
    files = dict(states=[str(folder / f"state{step}.pth") for step in range(COMPARED_STEPS)])

    def losses(job: Mapping[str, Any], name: str, out: Path) -> list[dict[str, float]]:
        _work(dict(job, **files, name=name, losses=str(out)), threads, COMPARED_STEPS)
        return _read_losses(out)

    progress("stock's steps to compare with")
    try:
        reference = losses(stock, "distillation_step_to_follow", folder / "reference.jsonl")
    except WorkerError as error:
        progress(f"stock's steps to compare with: {error}")
        return {}, {}, f"no loss differences, since stock's steps to compare with failed: {error}"
    differences, failures = {}, {}
    for key, job in jobs.items():
        progress(f"{key} from the same weights")
        try:
            found = losses(job, "distillation_losses", folder / f"{key}-same-weights.jsonl")
            differences[key] = largest_difference(found, reference)
        except WorkerError as error:
            failures[key] = str(error)
            progress(f"{key}: {error}")
    return differences, failures, ""


def _work(job: Mapping[str, Any], threads: int, calls: int = 1) -> None:
    """Do a job in a process of its own, untimed; WorkerError if it fails."""
    worker = Worker(job, threads)  # which calls it once
    try:
        for _ in range(calls - 1):
            worker.run()
    finally:
        worker.close()


def _waiting(job: Mapping[str, Any], settings: Settings, out: Path) -> tuple[float | None, str]:
    try:
        _work(
            dict(job, name="distillation_data", steps=settings.data_steps, waiting=str(out)),
            settings.threads,
        )
    except WorkerError as error:
        return None, str(error)
    return json.loads(out.read_text()), ""


def _read_losses(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
