"""The page of a checkpoint's errors on its config's test set: what tools/show_errors.py does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmrazor.models.algorithms import SingleTeacherDistill
from mmseg.registry import DATASETS
from torch import nn

from lwam_mm.deploy.compared_models import load_multi_branch
from lwam_mm.evaluation.scores import confusion_to_metrics
from lwam_mm.lab.inspection.errors_page import write_errors_page
from lwam_mm.lab.inspection.find_errors import Findings, find_errors
from lwam_mm.lab.pages.table import ModelScores
from lwam_mm.models.reparam.fold import reparameterize
from lwam_mm.version import __version__


def show_errors(
    config: Config,
    checkpoint: Path,
    out: Path,
    *,
    teacher: tuple[Config, Path] | None = None,
    worst: int = 20,
    fold: bool = False,
    command: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Findings:
    """Write a page of a model's errors on its config's test set.

    Args:
        config: The config of a segmentor or a distillation.
        checkpoint: Its weights.
        out: The HTML file to write.
        teacher: Config and checkpoint of a teacher, whose input comes from the first config's
            pipeline; a distillation has its own teacher.
        worst: How many images to show, 0 or more.
        fold: Whether to fold the student's blocks first.
        command: The command that makes the page, shown on it.
        progress: Called with the number of finished images and of all.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        lwam_mm.utils.errors.UserError: If a checkpoint, the data or their classes do not fit.
    """
    student, its_teacher = load_student_and_teacher(config, checkpoint, teacher, fold=fold)
    judged = "student" if its_teacher is not None else "prediction"
    segmentors = {judged: student}
    if its_teacher is not None:
        segmentors["teacher"] = its_teacher
    dataset = DATASETS.build(config.test_dataloader.dataset)
    classes = dataset.metainfo["classes"]
    findings = find_errors(segmentors, judged, dataset, classes, worst, progress)

    notes = [
        f"On {findings.images} images of {config.test_dataloader.dataset.data_prefix.img_path}, "
        "each at its own size."
    ]
    if findings.unlabelled:
        notes.append(f"{findings.unlabelled} images have no labelled pixel and therefore no score.")
    facts = {"checkpoint": checkpoint, "folded": "yes" if fold else "no"}
    if its_teacher is not None:
        facts["teacher"] = teacher[1] if teacher else "the distillation's own"
    facts |= {"lwam_mm": __version__, "torch": torch.__version__}
    write_errors_page(
        out,
        findings,
        judged,
        [_scores(name, model, findings) for name, model in reversed(segmentors.items())],
        classes=classes,
        palette=dataset.metainfo["palette"],
        title=f"What {checkpoint.name} does wrong",
        notes=notes,
        facts=facts,
        commands=[command] if command else [],
    )
    return findings


def _scores(name: str, model: nn.Module, findings: Findings) -> ModelScores:
    scores = confusion_to_metrics(findings.confusion[name])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return ModelScores(name, scores.means["mIoU"], list(scores.iou), parameters)


def load_student_and_teacher(
    config: Config,
    checkpoint: Path,
    teacher: tuple[Config, Path] | None = None,
    *,
    fold: bool = False,
) -> tuple[nn.Module, nn.Module | None]:
    """Build the student (or the only segmentor) and the teacher or None; see :func:`show_errors`.

    They have their weights and are in eval mode, on the available device.
    """
    model = _load(config, checkpoint)
    own_teacher = None
    if isinstance(model, SingleTeacherDistill):
        model, own_teacher = model.student, model.teacher
        # As in training, the student's preprocessor prepares the batches of both.
        own_teacher.data_preprocessor = model.data_preprocessor
    if fold:
        reparameterize(model, inplace=True)
    return model, own_teacher if teacher is None else _load(*teacher)


def _load(config: Config, checkpoint: Path) -> nn.Module:
    return load_multi_branch(config, checkpoint)[0].to(get_device())
