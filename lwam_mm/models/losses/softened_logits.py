"""What the distillation losses of logits have in common."""

from __future__ import annotations

from torch import Tensor

from lwam_mm.models.losses.float32 import at_least_float32


def require_temperature(tau: float) -> float:
    """Return a temperature.

    Raises:
        ValueError: It is not greater than 0.
    """
    if not tau > 0:
        raise ValueError(f"tau={tau}: a temperature is greater than 0")
    return tau


def soften(student: Tensor, teacher: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """Divide the logits of student and teacher by the temperature, in float32 or better.

    Args:
        student: The student's logits, (N, C, H, W).
        teacher: The teacher's logits, (N, C, H, W); no gradient flows into them.
        tau: The temperature.

    Raises:
        ValueError: The shapes differ.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"the student's logits are {tuple(student.shape)}, the teacher's "
            f"{tuple(teacher.shape)}: both must have the same classes and size"
        )
    return at_least_float32(student) / tau, at_least_float32(teacher.detach()) / tau
