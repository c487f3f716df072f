"""The speed of a distillation, compared with that of MMRazor's algorithm."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.lab.benchmark.models import draw_layers, write_random_weights
from lwam_mm.lab.benchmark.report import bullets, describe_environment
from lwam_mm.lab.benchmark.targets import Target, targets_table
from lwam_mm.lab.benchmark.timing import (
    Progress,
    Timing,
    WorkerError,
    WorkerProcess,
    time_interleaved,
)
from lwam_mm.lab.benchmark.worker import Task
from lwam_mm.lab.pages.table import MISSING, format_amount, markdown_table

COMPARED_STEPS = 8
"""Steps of stock at whose weights the losses of every row are compared."""

STOCK_STEPS = "stock's steps to compare with"

_IMAGES = 32
_HEADINGS = (
    "distillation", "images/s", "against stock", "loss difference, same weights",
    "drift over own steps", "peak MB", "waiting for data", "steps",
)  # fmt: skip
_EXPLANATION = (
    "Each row trains in its own process, from the same weights on the same batches. The rows are "
    "timed interleaved, one step per round; a row whose step takes a second or more runs in every "
    "second round, third round and so on. Images per second follow from the median step: forward, "
    "backward, optimizer. The loss difference is the largest of any loss, relative where stock's "
    f"is above 1: stock took {COMPARED_STEPS} steps beforehand, and each row computes the losses "
    "at the weights that stock started each of them from, so earlier steps make no difference. "
    "The drift is the same over the timed steps that both the row and stock took, warm-up "
    "included, each at the weights that the row's own steps led to; it includes the gradients, "
    "and rounding alone adds up from step to step. Peak memory is that of the whole process, "
    "libraries and the export of the teacher included. Freed memory is returned to the system, "
    "which clears it before it can be used again, unless it is kept. Waiting for data is the share "
    "of time, over consecutive steps with the config's data loader, before the next batch arrives."
)


@dataclass(frozen=True)
class DistillationVariant:
    """One way to distil.

    Attributes:
        title: Name on the page.
        model: Settings that replace those of the config's model.
        amp: Whether to train in bfloat16.
        keep_memory: Whether to keep freed memory, by KeepMemoryHook.
    """

    title: str
    model: dict[str, Any]
    amp: bool = False
    keep_memory: bool = False

    def task(self, function: str, common: Mapping[str, Any], **arguments: Any) -> Task:
        """Return a task of :mod:`lwam_mm.lab.benchmark.distillation_tasks`."""
        training = dict(common, model=self.model, amp=self.amp, keep_memory=self.keep_memory)
        function = f"lwam_mm.lab.benchmark.distillation_tasks:{function}"
        return dict(function=function, training=training, **arguments)


STOCK = "stock"
_STOCK = dict(type="mmrazor.SingleTeacherDistill")
_OPENVINO, _INT8 = dict(teacher_engine="openvino"), dict(teacher_engine="openvino-int8")
ROWS: dict[str, DistillationVariant] = {
    STOCK: DistillationVariant("MMRazor's SingleTeacherDistill", _STOCK),
    "stock-keep": DistillationVariant("the same, freed memory kept", _STOCK, keep_memory=True),
    "frozen": DistillationVariant(
        "frozen teacher without its own loss", dict(teacher_engine=None, channels_last=False)
    ),
    "channels-last": DistillationVariant(
        "student channels-last, branches fused", dict(teacher_engine=None)
    ),
    "torch": DistillationVariant("and the teacher folded, in torch", dict(teacher_engine="torch")),
    "openvino": DistillationVariant("and the teacher in OpenVINO", _OPENVINO),
    "openvino-int8": DistillationVariant("and the teacher in OpenVINO, INT8", _INT8),
    "openvino-keep": DistillationVariant(
        "teacher in OpenVINO, freed memory kept: the default", _OPENVINO, keep_memory=True
    ),
    "openvino-int8-keep": DistillationVariant(
        "teacher in OpenVINO, INT8, freed memory kept", _INT8, keep_memory=True
    ),
    "bfloat16": DistillationVariant(
        "all in bfloat16 (--amp), teacher in OpenVINO, freed memory kept", _OPENVINO, True, True
    ),
}
"""The variants by key, in the order of the page."""

_JUDGED = {
    "openvino": ("teacher in OpenVINO", 1.8),
    "openvino-int8": ("INT8 teacher", 2.3),
    "openvino-keep": ("teacher in OpenVINO, freed memory kept", 1.8),
    "openvino-int8-keep": ("INT8 teacher, freed memory kept", 2.3),
}
TARGETS = (
    *(
        Target(f"{title}: images a second at least {least} times stock's",
               f"{key}.rate", f"{STOCK}.rate", at_least=least)
        for key, (title, least) in _JUDGED.items()
    ),
    Target("teacher in OpenVINO: losses within 1e-4 of stock's from the same weights",
           "openvino.difference", at_most=1e-4, unit=""),
    *(
        Target(f"{title}: peak memory at most stock's", f"{key}.peak", f"{STOCK}.peak", at_most=1)
        for key, (title, _) in _JUDGED.items()
    ),
)  # fmt: skip
"""What the distillation should reach."""


@dataclass(frozen=True)
class DistillationSettings:
    """What to measure.

    Attributes:
        config: A distillation's config; of its data only the training pipeline and loader count.
        size: Height and width of the images in pixels.
        batch: Images per batch.
        threads: Threads that each row may use.
        rounds: Rounds that count.
        rows: Keys of :data:`ROWS`.
        data_steps: Steps over which waiting for data is measured, 2 or more; 0 to skip it.
    """

    config: Config
    size: int = 256
    batch: int = 4
    threads: int = 2
    rounds: int = 40
    rows: tuple[str, ...] = tuple(ROWS)
    data_steps: int = 12


@dataclass
class DistillationRun:
    """Everything that was measured.

    Attributes:
        rows: Keys of the measured variants, in the order of the page.
        figures: By ``KEY.figure``: ``rate`` in images per second and the number of ``steps`` that
            it is the median of; ``difference``, the :func:`largest_difference` to stock with each
            step at the same weights; ``drift``, the same over the timed steps; ``peak`` memory in
            MB (10^6 bytes); ``waiting``, the share of time spent waiting for data, in 0..1.
        environment: What it was measured on, as texts by name.
        errors: What failed, by key; under :data:`STOCK_STEPS` why nothing could be compared.
    """

    rows: tuple[str, ...]
    figures: dict[str, float] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def fail(self, key: str, error: Exception | str) -> None:
        """Note an error, once."""
        known = self.errors.get(key, "")
        if str(error) not in known:
            self.errors[key] = "; ".join(filter(None, [known, str(error)]))

    def cells(self, key: str) -> list[str]:
        """Return a row of the table."""
        rate, stock = (self.figures.get(f"{name}.rate") for name in (key, STOCK))

        def figure(name: str, form: str) -> str:
            value = self.figures.get(f"{key}.{name}")
            return MISSING if value is None else format(value, form)

        return [
            ROWS[key].title,
            format_amount(rate),
            f"{rate / stock:.2f}x" if rate and stock else MISSING,
            figure("difference", ".1e"),
            figure("drift", ".1e"),
            format_amount(self.figures.get(f"{key}.peak")),
            figure("waiting", ".1%"),
            figure("steps", "d"),
        ]

    def markdown(self) -> str:
        """Return the page."""
        titles = {key: row.title for key, row in ROWS.items()}
        errors = [f"{titles.get(key, key)}: {error}" for key, error in self.errors.items()]
        parts = [
            "# Distillation, step by step",
            bullets(f"{name}: {value}" for name, value in self.environment.items()),
            markdown_table(_HEADINGS, [self.cells(key) for key in self.rows]),
            _EXPLANATION,
            bullets(errors),
            "## Targets",
            targets_table(self.figures, TARGETS),
        ]
        return "\n\n".join(filter(None, parts)) + "\n"


def run_distillation_benchmark(
    settings: DistillationSettings, progress: Progress = lambda line: None
) -> DistillationRun:
    """Measure the variants; ``progress`` receives one line of text at each step."""
    threads, size = settings.threads, settings.size
    run = DistillationRun(settings.rows)
    run.environment = describe_environment("tools/benchmark_distillation.py", threads)
    run.environment["batch"] = f"{settings.batch} images of {size}x{size} pixels, drawn"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        progress("draw images and weights")
        common = write_inputs(settings, folder)
        _compare_losses(run, common, folder, progress)
        tasks = {key: ROWS[key].task("training_steps", common) for key in run.rows}
        timings = time_interleaved(tasks, threads, settings.rounds, progress)
        stock_losses = timings.get(STOCK, Timing()).results
        for key, timing in timings.items():
            found = dict(
                rate=timing.median and 1000 * settings.batch / timing.median,
                steps=len(timing.milliseconds),
                drift=largest_difference(timing.results, stock_losses),
                peak=timing.peak,
            )
            if timing.error:
                run.fail(key, timing.error)
            elif settings.data_steps:
                progress(f"{key} with its data loader")
                task = ROWS[key].task("waiting_for_data", common, steps=settings.data_steps)
                try:
                    (found["waiting"],) = _call(task, threads, calls=1)
                except WorkerError as error:
                    run.fail(key, error)
            run.figures |= {f"{key}.{name}": v for name, v in found.items() if v is not None}
    return run


def largest_difference(
    losses: Sequence[Mapping[str, float]], reference: Sequence[Mapping[str, float]]
) -> float | None:
    """Return the largest difference of any loss over the steps that both took.

    It is relative where the reference is above 1, infinite where one of the two is NaN, and None
    without a common step.

    Raises:
        KeyError: A loss of ``reference`` is missing.
    """
    found = [
        abs(own[name] - other[name]) / max(1, abs(other[name]))
        for own, other in zip(losses, reference, strict=False)
        for name in other
    ]
    return max((math.inf if math.isnan(value) else value for value in found), default=None)


def write_inputs(settings: DistillationSettings, folder: Path) -> dict[str, Any]:
    """Write images, weights and config; return the arguments that all trainings share."""
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


def _compare_losses(
    run: DistillationRun, common: Mapping[str, Any], folder: Path, progress: Progress
) -> None:
    """Measure the loss differences: stock saves its weights, the others compute losses there."""
    states = [str(folder / f"state{step}.pth") for step in range(COMPARED_STEPS)]

    def losses(key: str, function: str) -> list[dict[str, float]]:
        task = ROWS[key].task(function, common, states=states)
        return _call(task, common["threads"], COMPARED_STEPS)

    progress(STOCK_STEPS)
    try:
        reference = losses(STOCK, "training_steps")
    except WorkerError as error:
        progress(f"{STOCK_STEPS}: {error}")
        run.fail(STOCK_STEPS, f"failed, so there are no loss differences: {error}")
        return
    for key in run.rows:
        progress(f"{key} from the same weights")
        try:
            difference = largest_difference(losses(key, "losses_at_states"), reference)
            run.figures[f"{key}.difference"] = difference
        except WorkerError as error:
            run.fail(key, error)
            progress(f"{key}: {error}")


def _call(task: Task, threads: int, calls: int) -> list[Any]:
    """Call a task in its own process, untimed, and return the results."""
    with WorkerProcess(task, threads) as worker:
        for _ in range(calls - 1):
            worker.run()
        return worker.results
