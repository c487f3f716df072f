"""The teacher's own normalization, for images that are prepared as the student's."""

from __future__ import annotations

import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from lwam_mm.models.training_record import Preprocessing
from lwam_mm.utils.errors import UserError

# What prepares a batch for both nets; how masks are padded does not matter to the teacher.
_SHARED = ("size", "size_divisor", "batch_augments", "test_cfg")


class TeacherPreprocessingError(UserError, ValueError):
    """The teacher's data preprocessor differs from the student's in more than it may."""


class Renormalize(nn.Module):
    """Maps images normalized for the student to images normalized for the teacher.

    With mean m and standard deviation s of either, that is
    ``(x * s_student + m_student - m_teacher) / s_teacher`` for each channel.

    Args:
        student: The preprocessing that images come with.
        teacher: The preprocessing that the teacher was trained with.
    """

    def __init__(self, student: Preprocessing, teacher: Preprocessing) -> None:
        super().__init__()

        def channels(values: tuple[float, ...]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)

        std = channels(teacher.std)
        scale = channels(student.std) / std
        shift = (channels(student.mean) - channels(teacher.mean)) / std
        padding = (teacher.pad_value - shift) / scale
        # Not persistent: checkpoints hold the teacher's own keys and no more.
        for name, values in dict(scale=scale, shift=shift, padding=padding).items():
            self.register_buffer(name, values.float(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W), in one fused multiplication and addition."""
        return torch.addcmul(self.shift, images, self.scale)

    def fill_padding(self, images: Tensor, data_samples: list[BaseDataElement] | None) -> Tensor:
        """Return the images with padding that :meth:`forward` maps to the teacher's pad value.

        The student's pad value would become another colour. A batch without padding is returned
        as it is, one with padding is copied.

        Args:
            images: A batch (N, C, H, W), padded at the right and at the bottom.
            data_samples: Their samples, whose ``img_shape`` is the size without padding.
        """
        whole = images.shape[-2:]
        sizes = [sample.metainfo.get("img_shape", whole) for sample in data_samples or ()]
        if all(tuple(size[:2]) == tuple(whole) for size in sizes):
            return images
        images = images.clone()
        for image, (height, width, *_) in zip(images, sizes, strict=True):
            image[:, height:] = self.padding
            image[:, :, width:] = self.padding
        return images


def use_own_preprocessing(teacher: nn.Module, student_preprocessor: nn.Module) -> Preprocessing:
    """Make a teacher accept images as the student's preprocessor prepares them.

    A teacher without a data preprocessor shares the student's. One with another mean, standard
    deviation or pad value gets a :class:`Renormalize` in front of it, whichever way it is run: as
    a module or as an exported graph.

    Args:
        teacher: The teacher's segmentor; changed in place.
        student_preprocessor: The data preprocessor that prepares the batches.

    Returns:
        The preprocessing that the teacher's checkpoint should have been trained with; None if
        the student's preprocessor is not mmseg's.

    Raises:
        TeacherPreprocessingError: The teacher's preprocessor differs in anything else.
    """
    own = teacher.data_preprocessor
    student = Preprocessing.of_module(student_preprocessor)
    if type(own) is BaseDataPreprocessor:  # what mmengine builds where none is given
        return student
    preprocessing = Preprocessing.of_module(own)
    if preprocessing is None or student is None:
        kinds = " and ".join(type(p).__name__ for p in (own, student_preprocessor))
        raise TeacherPreprocessingError(
            f"the preprocessors of teacher and student, {kinds}, cannot be compared: use "
            "SegDataPreProcessor for both, or leave teacher.data_preprocessor out"
        )
    differences = [
        f"{name} ({teachers!r} of the teacher, {students!r} of the student)"
        for name, teachers, students in (
            ("channel order", preprocessing.channel_order, student.channel_order),
            *((name, getattr(own, name), getattr(student_preprocessor, name)) for name in _SHARED),
        )
        if teachers is not None and teachers != students
    ]
    if differences:
        raise TeacherPreprocessingError(
            f"teacher.data_preprocessor differs from the student's in {', '.join(differences)}. "
            "Teacher and student see the same batches, so only mean, std and pad_val may differ: "
            "make the others equal, or leave them out of the teacher's"
        )
    if preprocessing != student:
        teacher.add_module("renormalize", Renormalize(student, preprocessing))
        teacher.register_forward_pre_hook(_renormalize_inputs, with_kwargs=True)
    return preprocessing


def _renormalize_inputs(teacher: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    call = dict(zip(("inputs", "data_samples", "mode"), args, strict=False)) | kwargs
    images = teacher.renormalize.fill_padding(call["inputs"], call.get("data_samples"))
    return (), call | dict(inputs=teacher.renormalize(images))
