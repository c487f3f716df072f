"""Loading the networks of a config: one segmentor, or a student and its teacher."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmrazor.models.algorithms import SingleTeacherDistill
from mmseg.registry import MODELS
from torch import nn

from lwam_mm.models.checkpoint import load_weights
from lwam_mm.models.reparam.fold import reparameterize


def load_student_and_teacher(
    config: Config,
    checkpoint: str | Path,
    teacher: tuple[Config, str | Path] | None = None,
    *,
    fold: bool = False,
) -> tuple[nn.Module, nn.Module | None]:
    """Build the networks with their weights, in eval mode, on the available device.

    Args:
        config: The config of a segmentor or a distillation.
        checkpoint: Its weights; a distillation's checkpoint holds student and teacher.
        teacher: Config and checkpoint of a teacher, in place of the distillation's own.
        fold: Whether to fold the student's blocks.

    Returns:
        The student, or the only segmentor, and the teacher or None.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        lwam_mm.models.checkpoint.CheckpointMismatchError: If a checkpoint does not fit its config.
    """
    model = _load(config, checkpoint)
    own_teacher = None
    if isinstance(model, SingleTeacherDistill):
        model, own_teacher = model.student, model.teacher
        # In training, too, the teacher sees what the student's preprocessor gives.
        own_teacher.data_preprocessor = model.data_preprocessor
    if fold:
        reparameterize(model, inplace=True)
    return model, own_teacher if teacher is None else _load(*teacher)


def _load(config: Config, checkpoint: str | Path) -> nn.Module:
    init_default_scope(config.get("default_scope", "mmseg"))
    model = MODELS.build(config.model)
    load_weights(model, checkpoint)
    return revert_sync_batchnorm(model).eval().to(get_device())
