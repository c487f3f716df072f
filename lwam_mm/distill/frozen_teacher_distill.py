"""Distillation with a frozen teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.structures import BaseDataElement
from mmrazor.models.algorithms import SingleTeacherDistill
from mmrazor.models.utils import add_prefix
from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.distill.teacher_engine import TeacherEngine
from lwam_mm.distill.teacher_preprocessing import use_own_preprocessing
from lwam_mm.models.checkpoint import load_weights
from lwam_mm.models.memory_layout import lay_out_channels_last
from lwam_mm.models.output_classes import refuse_single_logit
from lwam_mm.models.training_record import TrainingRecord, check_training_record


@MODELS.register_module()
class FrozenTeacherDistill(SingleTeacherDistill):
    """MMRazor's ``SingleTeacherDistill`` with a teacher that is really frozen.

    The teacher stays in eval mode (MMRazor leaves its dropout active), computes no loss (MMRazor
    computes one and discards it), and its checkpoint must fit completely (MMRazor trains with
    random weights where it does not). The checkpoint is read when training starts; a test does not
    need it, since the distillation's own checkpoint contains the teacher.

    The teacher can run in an inference engine, and the student in the layout that is fast on its
    device. Except with an INT8 teacher, losses equal those of MMRazor's algorithm up to float32
    rounding; checkpoints are the same.

    A teacher with its own ``data_preprocessor`` sees the images with its own mean, standard
    deviation and pad value; see
    :func:`~lwam_mm.distill.teacher_preprocessing.use_own_preprocessing`.

    Args:
        teacher_ckpt: The teacher's checkpoint, needed for training.
        teacher_engine: What runs the teacher: ``"auto"``, ``"torch"``, ``"openvino"``,
            ``"openvino-int8"``, or None for its modules as they are; see
            :class:`~lwam_mm.distill.teacher_engine.TeacherEngine`.
        channels_last: Whether the student trains in the channels-last layout, where it can; see
            :func:`~lwam_mm.models.memory_layout.lay_out_channels_last`.
        accept_mismatch: Warn instead of raising an error if the teacher's checkpoint was trained
            with other classes, colours or preprocessing.
        **kwargs: Those of ``SingleTeacherDistill``: ``architecture`` (the student), ``teacher``,
            ``distiller``, ...

    Attributes:
        teacher_record: What the teacher's checkpoint remembers of its training.

    Raises:
        ValueError: ``teacher_trainable`` is set, or there is no such engine.
        OutputClassesError: A decode head has a single output channel.
        TeacherPreprocessingError: Teacher and student need differently prepared batches.
    """

    def __init__(
        self,
        *,
        teacher_ckpt: str | None = None,
        teacher_engine: str | None = "auto",
        channels_last: bool = True,
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
                    f"teacher_engine={teacher_engine!r}: the distiller's deliveries pass on what "
                    "functions return while the teacher's own modules run; use None"
                )
            teacher_engine = None
        self.teacher_engine = TeacherEngine(
            teacher_engine, self.teacher, self.distiller.teacher_recorders
        )
        self.channels_last = channels_last and lay_out_channels_last(self.student)

    def init_weights(self) -> None:
        """Initialize the student and load the teacher's checkpoint.

        Raises:
            ValueError: No checkpoint is given.
            FileNotFoundError: There is no such checkpoint.
            lwam_mm.models.checkpoint.CheckpointMismatchError: It does not fit the teacher.
            lwam_mm.models.training_record.TrainingMismatchError: It was trained with other
                preprocessing.
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
            batch_inputs: Images, (N, 3, H, W), normalized for the student.
            data_samples: The ground truth of each image.

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

        A recorder keeps the tensor that a module returned; an in-place activation after that
        module would overwrite it. MMRazor's version looks for an OrderedDict, which torch's
        modules no longer have, and changes nothing.
        """
        for module in architecture.modules():
            if hasattr(module, "inplace"):
                module.inplace = False
