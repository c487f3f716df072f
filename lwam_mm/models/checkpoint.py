"""Reading and writing of checkpoints; one that does not fit the model completely is refused.

OpenMMLab loads with ``strict=False``: the log mentions weights that do not fit, and the model keeps
its random ones. Here that is an error.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lwam_mm.models.training_record import TrainingRecord
from lwam_mm.utils.atomic_files import replacing
from lwam_mm.utils.errors import UserError

_SHOWN = 12


class CheckpointMismatchError(UserError, RuntimeError):
    """A checkpoint's weights and the model's do not agree in name or shape."""


class Checkpoint(NamedTuple):
    """A checkpoint in memory.

    Attributes:
        weights: The state dict, without the ``module.`` prefix of DistributedDataParallel.
        meta: What mmengine notes beside the weights; empty for a bare state dict.
        record: How the weights were trained; empty for a bare state dict.
    """

    weights: dict[str, Tensor]
    meta: dict[str, Any]
    record: TrainingRecord


def load_weights(model: nn.Module, path: str | Path) -> TrainingRecord:
    """Load a checkpoint's weights into ``model``, all of them or none.

    Args:
        model: The model that the config describes.
        path: A checkpoint as mmengine writes it, or a bare state dict.

    Returns:
        How the weights were trained, for
        :func:`~lwam_mm.models.training_record.check_training_record`.

    Raises:
        CheckpointMismatchError: A key is missing, left over or of another shape. Other errors are
            those of :func:`read_checkpoint`.
    """
    checkpoint = read_checkpoint(path)
    check_weights(model, checkpoint.weights, str(path))
    model.load_state_dict(checkpoint.weights, strict=False)
    return checkpoint.record


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        FileNotFoundError: There is no such file.
        lwam_mm.compat.UnsafeCheckpointError: The file holds more than tensors and plain values.
        lwam_mm.compat.UnreadableCheckpointError: The file is cut off or no checkpoint at all.
        CheckpointMismatchError: The file holds no state dict.
    """
    from mmengine.runner.checkpoint import CheckpointLoader

    loaded = CheckpointLoader.load_checkpoint(str(path), map_location="cpu")
    weights = loaded.get("state_dict", loaded) if isinstance(loaded, Mapping) else {}
    is_mapping = isinstance(weights, Mapping) and len(weights) > 0
    if not is_mapping or not all(isinstance(value, Tensor) for value in weights.values()):
        raise CheckpointMismatchError(
            f"{path}: holds no state dict; give a checkpoint written by tools/train.py, "
            "tools/extract_student.py or tools/import_reference_checkpoint.py"
        )
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    return Checkpoint(weights, dict(loaded.get("meta") or {}), TrainingRecord.of_checkpoint(loaded))


def save_checkpoint(
    weights: Mapping[str, Tensor], path: str | Path, meta: Mapping[str, Any] | None = None
) -> None:
    """Write weights as a checkpoint that OpenMMLab's tools load, completely or not at all.

    Args:
        weights: A state dict.
        path: The file to write; its folder is made, an existing file is replaced.
        meta: Notes beside the weights, in plain values.
    """
    with replacing(path) as unfinished:
        torch.save(dict(meta=dict(meta or {}), state_dict=dict(weights)), unfinished)


def check_checksums(path: str | Path) -> None:
    """Verify the checksums inside a checkpoint; torch itself loads a damaged one.

    A file that is not in torch's archive format has none and passes.

    Raises:
        lwam_mm.compat.UnreadableCheckpointError: A part of the file was changed.
    """
    from lwam_mm.compat import UnreadableCheckpointError

    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        damaged = str(error)
    if damaged is not None:
        raise UnreadableCheckpointError(
            f"{path}: damaged since it was written ({damaged} does not fit its checksum); use an "
            "earlier checkpoint or copy the file again"
        )


def check_weights(model: nn.Module, weights: Mapping[str, Any], source: str) -> None:
    """Compare names and shapes of ``weights`` with those of ``model``.

    Args:
        model: The model that the weights are for.
        weights: A state dict.
        source: What to call ``weights`` in the error, usually their file.

    Raises:
        CheckpointMismatchError: A key is missing, left over or of another shape. The message lists
            up to a dozen of each kind, and the likely cause.
    """
    expected = model.state_dict()
    # Old checkpoints lack the step counters of batch norms, and nothing reads them.
    missing = [k for k in expected.keys() - weights.keys() if not k.endswith("batches_tracked")]
    left_over = list(weights.keys() - expected.keys())
    misshapen = [
        f"{name}: {tuple(weights[name].shape)} in the checkpoint, {tuple(expected[name].shape)} "
        "in the model"
        for name in expected.keys() & weights.keys()
        if weights[name].shape != expected[name].shape
    ]
    if not (missing or left_over or misshapen):
        return
    lines = [f"{source} does not fit the model: nothing was loaded."]
    for title, names in (
        ("missing in the checkpoint", missing),
        ("left over in the checkpoint", left_over),
        ("of another shape", misshapen),
    ):
        if names:
            lines.append(f"  {len(names)} {title}:")
            lines += [f"    {name}" for name in sorted(names)[:_SHOWN]]
            if len(names) > _SHOWN:
                lines.append(f"    ... and {len(names) - _SHOWN} more")
    resized = bool(misshapen) and not (missing or left_over)
    lines.append(f"  {_likely_cause(expected, weights, resized)}")
    raise CheckpointMismatchError("\n".join(lines))


def _likely_cause(expected: Mapping[str, Any], weights: Mapping[str, Any], resized: bool) -> str:
    def only(names: Mapping[str, Any], others: Mapping[str, Any], part: str) -> bool:
        return any(part in name for name in names) and not any(part in name for name in others)

    if only(weights, expected, "architecture."):
        return (
            "The checkpoint is of a distillation (it holds student and teacher): take the student "
            "out of it with tools/extract_student.py."
        )
    if only(expected, weights, "architecture."):
        return "The model is a distillation, the checkpoint a plain one: use the student's config."
    if only(weights, expected, ".folded."):
        return "The checkpoint is folded: build the model with deploy=True in backbone and head."
    if only(expected, weights, ".folded."):
        return "The model is folded, the checkpoint is not: build the model with deploy=False."
    if resized:
        return "The width (base_channels) or the number of classes differs: check the config."
    return "The checkpoint is of another model: use the config that it was trained with."
