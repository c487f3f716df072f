"""The student's plain checkpoint out of a distillation's."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from lwam_mm.models.checkpoint import CheckpointMismatchError, read_checkpoint, save_checkpoint

_PREFIX = "architecture."


def extract_student(source: str | Path, target: str | Path) -> dict[str, Tensor]:
    """Write the student of a distillation's checkpoint as a checkpoint of its own.

    The result loads into the student's plain config; optimizer and teacher stay behind.

    Args:
        source: checkpoint that a distillation wrote.
        target: file to write; its folder is made, an existing file is replaced.

    Returns:
        The student's state dict.

    Raises:
        FileNotFoundError: there is no ``source``.
        CheckpointMismatchError: ``source`` holds no distilled student.
    """
    weights, meta = read_checkpoint(source)
    student = {
        name.removeprefix(_PREFIX): value
        for name, value in weights.items()
        if name.startswith(_PREFIX)
    }
    if not student:
        raise CheckpointMismatchError(
            f"{source}: holds no student (no key begins with {_PREFIX!r}); give the checkpoint of "
            "a distillation, or use this one as it is if it is of a plain student"
        )
    kept = {key: meta[key] for key in ("epoch", "iter", "dataset_meta") if key in meta}
    save_checkpoint(student, target, meta=kept | {"extracted_from": Path(source).name})
    return student
