"""The whole benchmark: make the rows, let them take turns, judge, write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from lwam_mm.datasets.problem import DatasetError
from lwam_mm.deploy.exporter import dataset_classes
from lwam_mm.lab.benchmark.accuracy import measure_miou
from lwam_mm.lab.benchmark.ceiling import ceiling_row
from lwam_mm.lab.benchmark.latency import summarise
from lwam_mm.lab.benchmark.machine import describe
from lwam_mm.lab.benchmark.plan import ROWS, Plan, with_miou
from lwam_mm.lab.benchmark.profile import profile
from lwam_mm.lab.benchmark.report import Report
from lwam_mm.lab.benchmark.row import Result, Row
from lwam_mm.lab.benchmark.startup import StartUp, figures_of, import_seconds, start_up
from lwam_mm.lab.benchmark.targets import SIZE, judge
from lwam_mm.lab.benchmark.turns import Timed, take_turns
from lwam_mm.lab.benchmark.workshop import Network, Student, make_pictures

_PROFILED = ("openvino", "openvino-int8")


@dataclass(frozen=True)
class Settings:
    """What to measure.

    Attributes:
        student: the student's plain config.
        teacher: the teacher's config.
        checkpoint: the student's weights; drawn at random if None.
        teacher_checkpoint: the teacher's weights, likewise.
        bundles: bundles that are there already, to be measured beside the others.
        size: height and width in pixels, a multiple of 16.
        threads: threads that each row may use.
        rounds: how often each row is called; slow ones less often.
        rows: keys of :data:`lwam_mm.lab.benchmark.plan.ROWS`.
        peers: keys of :data:`lwam_mm.lab.benchmark.peers.PEERS`.
        images: validation images for the mIoU, at most.
    """

    student: Config
    teacher: Config
    checkpoint: Path | None = None
    teacher_checkpoint: Path | None = None
    bundles: tuple[Path, ...] = ()
    size: int = 1024
    threads: int = 2
    rounds: int = 100
    rows: tuple[str, ...] = tuple(ROWS)
    peers: tuple[str, ...] = ()
    images: int = 50


def open_student(
    settings: Settings, folder: Path, progress: Callable[[str], None]
) -> tuple[Student, Path]:
    """Draw the pictures and set the student up; return it and a camera frame's file."""
    layers, frame = make_pictures(folder / "pictures", settings.size)
    network = Network(
        settings.student, settings.checkpoint, layers, folder / "student", settings.size
    )
    classes, _ = dataset_classes(settings.student)
    return Student(network, classes, progress), frame


def run(settings: Settings, progress: Callable[[str], None] = lambda line: None) -> Report:
    """Measure everything.

    Args:
        settings: what to measure.
        progress: called with one line of text at each step.

    Raises:
        lwam_mm.runtime.BundleError: a bundle is missing or damaged.
    """
    machine = describe(settings.threads)
    machine["images"] = f"{settings.size}x{settings.size} pixels, grey, drawn"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        student, frame = open_student(settings, folder, progress)
        teacher = Network(
            settings.teacher,
            settings.teacher_checkpoint,
            student.network.pictures,
            folder / "teacher",
            settings.size,
        )
        plan = Plan(teacher, student, settings.threads, folder / "peers", progress)
        given = [plan.bundle_row(path) for path in settings.bundles]
        progress("build and export")
        rows = plan.rows(settings.rows)
        notes = _weights_notes(settings)
        try:
            made = [row.key for row in rows if row.job is not None]
            scores = measure_miou(made, teacher, student, settings.images, progress)
            rows = with_miou(rows, scores)
        except (FileNotFoundError, DatasetError) as error:
            notes.append(f"mIoU was not measured: {error}")
        rows += given
        for name in settings.peers:
            rows += plan.peer_rows(name)
        keys = dict.fromkeys(row.ceiling for row in rows if row.ceiling and row.job)
        ceilings = [ceiling_row(key, folder, settings.threads) for key in keys]
        jobs = {row.key: row.job for row in [*rows, *ceilings] if row.job is not None}
        timed = take_turns(jobs, settings.threads, settings.rounds, progress)
        made = [key for key in _PROFILED if jobs.get(key)]
        starts, failed = figures_of(_starts(student, frame, made, settings), progress)
        notes += [f"start-up of {key} was not measured: {why}" for key, why in failed.items()]
        profiles = {
            ROWS[key]: profile(student.bundle(key), student.network.pictures[0], settings.threads)
            for key in made
        }
        results = [finish(row, timed.get(row.key)) for row in rows]
        limits = [finish(row, timed.get(row.key)) for row in ceilings]
        shares = shares_of(results, limits)
        seconds = import_seconds()
    found = figures(results, shares, starts, seconds)
    return Report(
        results=results,
        ceilings=limits,
        shares=shares,
        starts=list(starts.values()),
        import_seconds=seconds,
        profiles=profiles,
        # Of another size they would be judged by what they are not for.
        verdicts=judge(found) if settings.size == SIZE else [],
        machine=machine,
        notes=notes,
    )


def finish(row: Row, timed: Timed | None) -> Result:
    """Put a row and what was measured of it together."""
    timed = timed or Timed()
    notes = [row.note] if row.note else []
    if timed.error:
        calls = len(timed.milliseconds)
        notes.append(f"failed after {calls} calls: {timed.error}" if calls else timed.error)
    return Result(
        key=row.key,
        title=row.title,
        parameters=row.parameters,
        macs=row.macs,
        miou=row.miou,
        ceiling=row.ceiling,
        megabytes=row.megabytes,
        latency=summarise(timed.milliseconds) if timed.milliseconds else None,
        peak=timed.peak,
        notes=tuple(notes),
    )


def shares_of(results: Sequence[Result], ceilings: Sequence[Result]) -> dict[str, float]:
    """Return each row's share of the machine's ceiling in 0..1 by key, where both are known."""
    rates = {ceiling.key: ceiling.rate for ceiling in ceilings if ceiling.rate}
    return {
        result.key: result.rate / rates[result.ceiling]
        for result in results
        if result.rate and result.ceiling in rates
    }


def figures(
    results: Sequence[Result],
    shares: Mapping[str, float],
    starts: Mapping[str, StartUp],
    import_time: float,
) -> dict[str, float]:
    """Gather the figures that :mod:`lwam_mm.lab.benchmark.targets` judges, by their names there."""
    found = {"import": import_time}
    for result in results:
        if result.latency is not None:
            found[f"{result.key}.p50"] = result.latency.p50
            found[f"{result.key}.p99"] = result.latency.p99
    found |= {f"{key}.share": share for key, share in shares.items()}
    for key, start in starts.items():
        backend, _, tiles = key.partition(" ")
        if not tiles:
            found[f"{backend}.start"] = start.start
        if start.peak is not None:
            found[f"{backend}.{'tiling_peak' if tiles else 'peak'}"] = start.peak
    return found


def _starts(
    student: Student, frame: Path, made: Sequence[str], settings: Settings
) -> dict[str, Callable[[], StartUp]]:
    picture = student.network.pictures[0]
    starts: dict[str, Callable[[], StartUp]] = {}
    for key in made:
        title = ROWS[key].removeprefix("student, ")
        starts[key] = lambda key=key, title=title: start_up(
            title, student.bundle(key, frames=True), picture, settings.threads
        )
        starts[f"{key} tiles"] = lambda key=key, title=title: start_up(
            f"{title}, 3772x3302 in tiles",
            student.dynamic_bundle(key),
            frame,
            settings.threads,
        )
    return starts


def _weights_notes(settings: Settings) -> list[str]:
    drawn = [
        name
        for name, checkpoint in (
            ("the teacher", settings.teacher_checkpoint),
            ("the student", settings.checkpoint),
            ("the peers", None),
        )
        if checkpoint is None and (name != "the peers" or settings.peers)
    ]
    return [f"Weights drawn at random: {', '.join(drawn)}."] if drawn else []
