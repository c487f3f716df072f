"""The whole benchmark: make the candidates, time them interleaved, collect what was measured."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from mmengine.config import Config

from lwam_mm.datasets.problem import DatasetError
from lwam_mm.deploy.compared_models import Stage, ValidationImages, bundle_stage, torch_stage
from lwam_mm.deploy.exporter import dataset_classes
from lwam_mm.deploy.gate import run_gate
from lwam_mm.lab.benchmark.candidates import (
    EAGER,
    ENGINES,
    ROWS,
    Candidate,
    CandidateMaker,
    copy_candidate,
    roofline_candidate,
    with_miou,
)
from lwam_mm.lab.benchmark.models import Network, Student, build, draw_frame, draw_layers
from lwam_mm.lab.benchmark.report import BenchmarkRun, describe_environment
from lwam_mm.lab.benchmark.timing import (
    Progress,
    StartUp,
    Timing,
    import_seconds,
    time_interleaved,
    time_start_up,
)
from lwam_mm.lab.benchmark.worker import compile_for_latency, describe_error
from lwam_mm.runtime import Bundle, Predictor, read_image
from lwam_mm.runtime.pre_and_postprocessing import to_batch
from lwam_mm.utils.errors import UserError

_PROFILED = ("openvino", "openvino-int8")
_PROFILED_LAYERS, _PROFILED_CALLS = 12, 10
_PICTURES = 4


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure.

    Attributes:
        student: The student's plain config.
        teacher: The teacher's config.
        checkpoint: The student's weights; random if None.
        teacher_checkpoint: The teacher's weights; random if None.
        bundles: Existing bundles to measure as well.
        size: Height and width in pixels, a multiple of 16.
        threads: Threads that each row may use.
        rounds: How often each row is called; slow ones less often.
        rows: Keys of :data:`lwam_mm.lab.benchmark.candidates.ROWS`.
        family: Keys of :data:`lwam_mm.lab.benchmark.candidates.FAMILY`.
        peers: Keys of :data:`lwam_mm.lab.benchmark.candidates.PEERS`.
        images: Largest number of validation images for the mIoU.
    """

    student: Config
    teacher: Config
    checkpoint: Path | None
    teacher_checkpoint: Path | None
    bundles: Sequence[Path]
    size: int
    threads: int
    rounds: int
    rows: Sequence[str]
    family: Sequence[str]
    peers: Sequence[str]
    images: int


def run_benchmark(settings: BenchmarkSettings, progress: Progress) -> BenchmarkRun:
    """Measure everything; ``progress`` receives one line of text at each step.

    Raises:
        lwam_mm.runtime.BundleError: A bundle is missing or damaged.
    """
    threads = settings.threads
    environment = describe_environment("tools/benchmark.py", threads)
    environment["images"] = f"{settings.size}x{settings.size} pixels, grey, drawn"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        student = _make_student(settings, folder, progress)
        pictures = student.network.pictures
        config, checkpoint = settings.teacher, settings.teacher_checkpoint
        teacher = Network(config, checkpoint, pictures, folder / "teacher", settings.size)
        maker = CandidateMaker(teacher, student, threads, folder / "peers", progress)
        existing = [maker.bundle_candidate(path) for path in settings.bundles]
        progress("build and export")
        candidates = maker.candidates(settings.rows)
        notes = _notes_on_weights(settings)
        try:
            keys = [candidate.key for candidate in candidates if candidate.task]
            scores = measure_miou(keys, teacher, student, settings.images, progress)
            candidates = with_miou(candidates, scores)
        except (FileNotFoundError, DatasetError) as error:
            notes.append(f"mIoU was not measured: {error}")
        candidates += existing
        candidates += [row for name in settings.family for row in maker.family_candidates(name)]
        candidates += [row for name in settings.peers for row in maker.peer_candidates(name)]
        keys = dict.fromkeys(c.roofline for c in candidates if c.roofline and c.task)
        rooflines = [roofline_candidate(key, folder, threads) for key in keys]
        rooflines.append(copy_candidate(threads))
        tasks = {c.key: c.task for c in [*candidates, *rooflines] if c.task}
        timings = time_interleaved(tasks, threads, settings.rounds, progress)
        profiled = [key for key in _PROFILED if key in tasks]
        starts = _time_start_ups(student, profiled, threads, progress, notes)
        profiles = {}
        for key in profiled:
            layers = profile_layers(student.bundle(key), pictures[0], threads)
            profiles[ROWS[key]] = format_profile(layers, _PROFILED_LAYERS)
        seconds = import_seconds()

    def timed(candidate: Candidate) -> Candidate:
        return replace(candidate, timing=timings.get(candidate.key, Timing()))

    return BenchmarkRun(
        candidates=[timed(candidate) for candidate in candidates],
        rooflines=[timed(candidate) for candidate in rooflines],
        starts=starts,
        import_seconds=seconds,
        profiles=profiles,
        environment=environment,
        notes=notes,
        size=settings.size,
    )


def profile_row(settings: BenchmarkSettings, key: str, progress: Progress) -> str:
    """Export one OpenVINO row and return the times of its layers as text."""
    with tempfile.TemporaryDirectory() as folder:
        student = _make_student(settings, Path(folder), progress)
        bundle = student.bundle(key.removesuffix("-file"), frames=key.endswith("-file"))
        layers = profile_layers(bundle, student.network.pictures[0], settings.threads)
    return format_profile(layers)


class LayerTime(NamedTuple):
    """A layer as OpenVINO runs it, and the median time of one call."""

    name: str
    kind: str  # the operation, such as "Convolution"
    kernel: str  # the code that runs it, with instruction set and precision
    milliseconds: float


def profile_layers(bundle: Bundle, picture: Path, threads: int) -> list[LayerTime]:
    """Time each layer of an OpenVINO bundle on an image file, the slowest first.

    Raises:
        UserError: The bundle is for another engine.
    """
    if bundle.manifest.engine != "openvino":
        raise UserError(
            f"{bundle.root}: is for {bundle.manifest.engine}, which cannot be profiled; choose an "
            "OpenVINO bundle"
        )
    compiled = compile_for_latency(bundle.model_path, threads, PERF_COUNT="YES")
    request = compiled.create_infer_request()
    batch = to_batch(read_image(picture), bundle.manifest.input)
    times: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    request.infer([batch])  # the warm-up
    for _ in range(_PROFILED_CALLS):
        request.infer([batch], share_inputs=True, share_outputs=True)
        for layer in request.profiling_info:
            key = (layer.node_name, layer.node_type, layer.exec_type)
            times[key].append(layer.real_time.total_seconds() * 1000)
    layers = [LayerTime(*key, median(found)) for key, found in times.items()]
    return sorted(layers, key=lambda layer: -layer.milliseconds)


def format_profile(layers: list[LayerTime], top: int = 20) -> str:
    """Format the slowest layers as lines of text, with the sum of all layers below."""
    total = sum(layer.milliseconds for layer in layers)
    lines = [f"{'ms':>8}  {'share':>6}  {'kind':<24} {'kernel':<28} layer"]
    lines += [
        f"{layer.milliseconds:8.2f}  {layer.milliseconds / total if total else 0:6.1%}  "
        f"{layer.kind:<24} {layer.kernel:<28} {layer.name}"
        for layer in layers[:top]
    ]
    return "\n".join([*lines, f"{total:8.2f}  all {len(layers)} layers together"])


def measure_miou(
    keys: Sequence[str],
    teacher: Network,
    student: Student,
    images: int,
    progress: Progress = lambda line: None,
) -> dict[str, float]:
    """Measure mIoUs in percent by key on the student's validation images.

    Networks with random weights are left out. ``images`` is the largest number of validation
    images, evenly spaced.

    Raises:
        FileNotFoundError, lwam_mm.datasets.problem.DatasetError: The data cannot be used.
    """
    stages: dict[str, Stage] = {}
    for key in keys:
        network = teacher if key == "teacher" else student.network
        if not network.trained:
            continue
        if key in EAGER and key != "channels-last":
            model = build(network.config, network.checkpoint, folded=key == "folded")
            stages[key] = torch_stage(model)
        elif key in ENGINES:
            stages[key] = bundle_stage(Predictor(student.bundle(key).root))
    if not stages:
        return {}
    samples = ValidationImages(student.network.config, images)
    progress(f"mIoU of {', '.join(stages)} on {len(samples)} validation images")
    report = run_gate(stages, samples, student.classes, {})
    return {key: scores["mIoU"] for key, scores in report.stages.items()}


def _make_student(settings: BenchmarkSettings, folder: Path, progress: Progress) -> Student:
    pictures = draw_layers(folder / "pictures", settings.size, _PICTURES)
    config, checkpoint = settings.student, settings.checkpoint
    network = Network(config, checkpoint, pictures, folder / "student", settings.size)
    return Student(network, dataset_classes(config)[0], progress)


def _time_start_ups(
    student: Student, keys: Sequence[str], threads: int, progress: Progress, notes: list[str]
) -> dict[str, StartUp]:
    """Time fresh processes; what fails goes to the notes."""
    layer = student.network.pictures[0]
    frame = draw_frame(layer, layer.with_name("frame.png")) if keys else layer
    starts = {}
    for key in keys:
        title = ROWS[key].removeprefix("student, ")
        for name, text, picture in (
            (key, title, layer),
            (f"{key} tiles", f"{title}, 3772x3302 in tiles", frame),
        ):
            progress(f"start-up: {name}")
            try:
                tiled = picture is frame
                bundle = student.dynamic_bundle(key) if tiled else student.bundle(key, frames=True)
                starts[name] = time_start_up(text, bundle.root, picture, threads)
            except Exception as error:
                notes.append(f"start-up of {name} was not measured: {describe_error(error)}")
    return starts


def _notes_on_weights(settings: BenchmarkSettings) -> list[str]:
    random = {
        "the teacher": settings.teacher_checkpoint is None,
        "the student": settings.checkpoint is None,
        "the peers": bool(settings.peers),
    }
    names = ", ".join(name for name, is_random in random.items() if is_random)
    return [f"Random weights: {names}."] if names else []
