"""Extraction of the student's plain checkpoint from that of a distillation."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from torch import Tensor

from lwam_mm.models.checkpoint import CheckpointMismatchError, read_checkpoint, save_checkpoint
from lwam_mm.models.training_record import META_KEY, TrainingRecord, check_training_record

_PREFIX = "architecture."


def extract_student(
    source: str | Path,
    target: str | Path,
    *,
    config: Config | None = None,
    accept_mismatch: bool = False,
) -> dict[str, Tensor]:
    """Write the student of a distillation's checkpoint as a separate checkpoint.

    The result loads into the student's plain config, and remembers how the student was trained.
    Optimizer and teacher stay behind.

    Args:
        source: A checkpoint that a distillation wrote.
        target: The file to write; its folder is made, an existing file is replaced.
        config: The student's plain config, to compare the training with before writing.
        accept_mismatch: Write the student even if its training differs from ``config``.

    Returns:
        The student's state dict.

    Raises:
        FileNotFoundError: There is no ``source``.
        CheckpointMismatchError: ``source`` holds no distilled student.
        TrainingMismatchError: It was trained otherwise than ``config`` says.
    """
    checkpoint = read_checkpoint(source)
    student = {
        name.removeprefix(_PREFIX): value
        for name, value in checkpoint.weights.items()
        if name.startswith(_PREFIX)
    }
    if not student:
        raise CheckpointMismatchError(
            f"{source}: holds no student (no key begins with {_PREFIX!r}); give the checkpoint of "
            "a distillation, or use this one as it is if it is of a plain student"
        )
    if config is not None:
        expected = TrainingRecord.of_config(config)
        check_training_record(checkpoint.record, expected, str(source), accept_mismatch)
    meta = checkpoint.meta
    kept = {key: meta[key] for key in ("epoch", "iter", "dataset_meta") if key in meta}
    if checkpoint.record != TrainingRecord():
        kept[META_KEY] = checkpoint.record.as_plain()
    save_checkpoint(student, target, meta=kept | {"extracted_from": Path(source).name})
    return student
