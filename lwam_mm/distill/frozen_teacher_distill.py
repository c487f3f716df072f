"""Distillation with one teacher that is really frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from mmrazor.models.algorithms import SingleTeacherDistill
from mmrazor.models.utils import add_prefix
from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.checkpoint import load_weights


@MODELS.register_module()
class FrozenTeacherDistill(SingleTeacherDistill):
    """MMRazor's ``SingleTeacherDistill`` with a teacher that teaches and does nothing else.

    The teacher stays in eval mode (upstream leaves its dropout active), computes no loss
    (upstream computes one and throws it away), and its checkpoint must fit it to the last key
    (upstream trains with random weights where one does not). It is read when training starts:
    testing a distillation's own checkpoint, which holds the teacher, does not need it.

    Args:
        teacher_ckpt: the teacher's checkpoint. Needed for training.
        **kwargs: of ``SingleTeacherDistill``: ``architecture`` (the student), ``teacher``,
            ``distiller``, ...; a trainable teacher is not among what it can do.

    Raises:
        ValueError: ``teacher_trainable`` is asked for.
    """

    def __init__(self, *, teacher_ckpt: str | None = None, **kwargs: Any) -> None:
        if kwargs.get("teacher_trainable"):
            raise ValueError(
                "teacher_trainable=True: the teacher of a FrozenTeacherDistill never trains; "
                "use mmrazor.SingleTeacherDistill to train both"
            )
        super().__init__(**kwargs)
        self.teacher_ckpt = teacher_ckpt
        self.teacher.eval()

    def init_weights(self) -> None:
        """Initialise the student and load the teacher's checkpoint.

        Raises:
            ValueError: no checkpoint is given.
            FileNotFoundError: there is none where it should be.
            lwam_mm.models.checkpoint.CheckpointMismatchError: it does not fit the teacher.
        """
        if self.teacher_ckpt is None:
            raise ValueError(
                "a distillation needs a trained teacher: set model.teacher_ckpt, for instance "
                "with --cfg-options model.teacher_ckpt=work_dirs/TEACHER/best_mIoU_epoch_N.pth"
            )
        if not Path(self.teacher_ckpt).is_file():
            raise FileNotFoundError(
                f"{self.teacher_ckpt}: there is no such teacher checkpoint; train the teacher "
                "first, or set model.teacher_ckpt to where it is"
            )
        self.architecture.init_weights()
        load_weights(self.teacher, self.teacher_ckpt)
        self._is_init = True

    def train(self, mode: bool = True) -> FrozenTeacherDistill:
        """Set the student's mode; the teacher stays in eval mode."""
        nn.Module.train(self, mode)
        self.teacher.eval()
        return self

    def loss(
        self, batch_inputs: Tensor, data_samples: list[BaseDataElement] | None = None
    ) -> dict[str, Tensor]:
        """Compute the student's own loss and the losses of distillation.

        Args:
            batch_inputs: normalised images (N, 3, H, W), the same for both nets.
            data_samples: one ground truth an image.

        Returns:
            The student's losses, prefixed ``student.``, and the distiller's, ``distill.``.
        """
        distiller = self.distiller
        distiller.set_deliveries_override(False)
        with distiller.teacher_recorders, distiller.deliveries, torch.no_grad():
            self.teacher(batch_inputs, mode="tensor")
        distiller.set_deliveries_override(True)
        with distiller.student_recorders, distiller.deliveries:
            losses = add_prefix(self.student(batch_inputs, data_samples, mode="loss"), "student")
        if not self.calculate_student_loss:
            losses = {}
        if not self.distillation_stopped:  # MMRazor's StopDistillHook sets it
            losses.update(add_prefix(distiller.compute_distill_losses(), "distill"))
        return losses

    def set_module_inplace_false(self, architecture: nn.Module, varstr: str) -> None:
        """Make every activation of ``architecture`` out-of-place.

        A recorder keeps the tensor that a module returned; an in-place activation behind that
        module would overwrite it. Upstream's version looks for an OrderedDict, which torch's
        modules no longer keep, and changes nothing.
        """
        for module in architecture.modules():
            if hasattr(module, "inplace"):
                module.inplace = False
