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

from lwam_mm.distill.teacher_engine import TeacherEngine
from lwam_mm.distill.teacher_preprocessing import use_own_preprocessing
from lwam_mm.models.checkpoint import load_weights
from lwam_mm.models.output_classes import refuse_single_logit
from lwam_mm.models.reparam.point_conv import PointConv2d
from lwam_mm.models.reparam.rep_conv import RepConv
from lwam_mm.models.training_record import TrainingRecord, check_training_record


@MODELS.register_module()
class FrozenTeacherDistill(SingleTeacherDistill):
    """MMRazor's ``SingleTeacherDistill`` with a teacher that teaches and does nothing else.

    The teacher stays in eval mode (upstream leaves its dropout active), computes no loss
    (upstream computes one and throws it away), and its checkpoint must fit it to the last key
    (upstream trains with random weights where one does not). It is read when training starts:
    testing a distillation's own checkpoint, which holds the teacher, does not need it.

    The teacher may run in an inference engine, and the student in the layout that is quick on
    the device; losses stay those of the plain algorithm to float32's rounding, but for the INT8
    teacher, and checkpoints are the same.

    Args:
        teacher_ckpt: the teacher's checkpoint. Needed for training.
        teacher_engine: what runs the teacher: ``"auto"``, ``"torch"``, ``"openvino"``,
            ``"openvino-int8"`` or None for its modules as they are; see
            :class:`~lwam_mm.distill.teacher_engine.TeacherEngine`. On a GPU ``"auto"`` is
            ``"torch"``.
        channels_last: whether the student trains in the channels-last layout, quicker on
            processors and, in mixed precision, on GPUs; its RepConv blocks then merge their
            branches where they can. None leaves it to the student: it does
            unless it has strided 1x1 convolutions of torch's own, whose backward pass in this
            layout corrupts memory on processors with torch 2.13 (see
            :class:`~lwam_mm.models.reparam.point_conv.PointConv2d`).
        **kwargs: of ``SingleTeacherDistill``: ``architecture`` (the student), ``teacher``,
            ``distiller``, ...; a trainable teacher is not among what it can do.

    Raises:
        ValueError: ``teacher_trainable`` is asked for; there is no such engine.
    """

    def __init__(
        self,
        *,
        teacher_ckpt: str | None = None,
        teacher_engine: str | None = "auto",
        channels_last: bool | None = None,
        accept_mismatch: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("teacher_trainable"):
            raise ValueError(
                "teacher_trainable=True: the teacher of a FrozenTeacherDistill never trains; "
                "use mmrazor.SingleTeacherDistill to train both"
            )
        super().__init__(**kwargs)
        refuse_single_logit(self)
        self.teacher_ckpt = teacher_ckpt
        self.accept_mismatch = accept_mismatch
        self.teacher_record = TrainingRecord()
        self._teacher_preprocessing = use_own_preprocessing(self.teacher, self.data_preprocessor)
        self.teacher.eval()
        if self.distiller.deliveries.deliveries:
            if teacher_engine not in (None, "auto"):
                raise ValueError(
                    f"teacher_engine={teacher_engine!r}: the distiller's deliveries hand over what "
                    "functions return while the teacher's own modules run; use None"
                )
            teacher_engine = None
        self.teacher_engine = TeacherEngine(
            teacher_engine, self.teacher, self.distiller.teacher_recorders
        )
        if channels_last is None:
            channels_last = not any(map(_is_strided_point, self.student.modules()))
        self.channels_last = channels_last
        if channels_last:
            self.student.to(memory_format=torch.channels_last)
            for module in self.student.modules():
                if isinstance(module, RepConv):
                    module.merges_branches = True

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
        self.teacher_record = load_weights(self.teacher, self.teacher_ckpt)
        check_training_record(
            self.teacher_record,
            TrainingRecord(preprocessing=self._teacher_preprocessing),
            str(self.teacher_ckpt),
            self.accept_mismatch,
            remedy="set model.teacher.data_preprocessor to that of the teacher's training",
        )
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
        teacher_inputs = batch_inputs
        if hasattr(self.teacher, "renormalize"):
            teacher_inputs = self.teacher.renormalize.fill_padding(batch_inputs, data_samples)
        with distiller.deliveries:
            self.teacher_engine.run(teacher_inputs)
        if self.channels_last:
            batch_inputs = batch_inputs.contiguous(memory_format=torch.channels_last)
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


def _is_strided_point(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and not isinstance(module, PointConv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
    )
