"""mIoU of what is measured, on the validation images of the student's config."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lwam_mm.deploy.compared_models import Stage, ValidationImages, bundle_stage, torch_stage
from lwam_mm.deploy.gate import run_gate
from lwam_mm.lab.benchmark.models import build
from lwam_mm.lab.benchmark.plan import EAGER, ENGINES
from lwam_mm.lab.benchmark.workshop import Network, Student
from lwam_mm.runtime import Predictor


def measure_miou(
    keys: Sequence[str],
    teacher: Network,
    student: Student,
    images: int,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, float]:
    """Evaluate the rows whose weights were trained.

    Args:
        keys: rows to evaluate, of :data:`lwam_mm.lab.benchmark.plan.ROWS`.
        teacher: the teacher; left out if it was not trained.
        student: the student; left out if it was not trained.
        images: how many validation images at most, evenly spaced.
        progress: called with one line of text now and then.

    Returns:
        mIoU in percent by key.

    Raises:
        FileNotFoundError, lwam_mm.datasets.problem.DatasetError: the data cannot be used.
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
