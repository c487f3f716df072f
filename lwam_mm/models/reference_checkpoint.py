"""Import of checkpoints of the authors' released code.

The released student is ``LWRNetF``, the teacher ``UNetNested`` (UNet++). The networks are the same
as ours, only names differ.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from lwam_mm.models.backbones.lwrnet import LWRNet
from lwam_mm.models.backbones.unetpp import UNetPlusPlus
from lwam_mm.models.checkpoint import (
    CheckpointMismatchError,
    check_weights,
    read_checkpoint,
    save_checkpoint,
)
from lwam_mm.models.decode_heads.lwr_head import LWRHead
from lwam_mm.models.decode_heads.unetpp_head import UNetPlusPlusHead

_REP_CONV = {
    "rbr_dense.conv": "conv3x3",
    "rbr_dense.bn": "norm3x3",
    "rbr_1x1.conv": "conv1x1",
    "rbr_1x1.bn": "norm1x1",
    "rbr_identity": "norm_identity",
    "rbr_reparam": "folded",
}
_BRANCH = "|".join(map(re.escape, _REP_CONV))
# A released decoder node has two convolutions; ours is conv, ReLU, conv, ReLU.
_DECODER_LAYER = {"conv1.0": "0", "conv2.0": "2"}
# An encoder node is conv, BN, ReLU, conv, BN, ReLU.
_ENCODER_LAYER = {"conv1.0": "0", "conv1.1": "1", "conv2.0": "3", "conv2.1": "4"}


def read_reference_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict with released names from ``.pth`` or ``.npz``.

    The ``module.`` prefix of DistributedDataParallel is removed.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointMismatchError: The file is not what its suffix says or holds no state dict.
    """
    path = Path(path)
    if path.suffix != ".npz":
        return read_checkpoint(path).weights
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such checkpoint file")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name.removeprefix("module."): torch.from_numpy(arrays[name]) for name in arrays}
    except (ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise CheckpointMismatchError(
            f"{path}: not an .npz archive of plain arrays ({error}); save the state dict with "
            "numpy.savez(path, **{name: tensor.numpy() for name, tensor in state_dict.items()})"
        ) from error


def import_reference_checkpoint(
    source: str | Path, target: str | Path, model: Literal["student", "teacher"]
) -> dict[str, Tensor]:
    """Write released weights as a checkpoint for our configs.

    The released networks have one width. The number of classes is free, the student may be folded,
    and the teacher may have all four classifiers or only the fourth.

    Args:
        source: State dict with released names, ``.pth`` or ``.npz``.
        target: The file to write; its folder is made, an existing file is replaced.
        model: Which of the two released networks it is.

    Returns:
        The state dict with our names.

    Raises:
        FileNotFoundError: There is no ``source``.
        CheckpointMismatchError: A key is missing, left over or of another shape; nothing was
            written.
    """
    weights = translate(read_reference_weights(source), model)
    check_weights(_build_like(weights, model), weights, str(source))
    save_checkpoint(weights, target, meta=dict(imported_from=Path(source).name, model=model))
    return weights


def _build_like(weights: Mapping[str, Tensor], model: str) -> nn.Module:
    """Build the released network in the form of ``weights``, on the meta device."""
    classifier = weights.get("decode_head.conv_seg.weight")
    head = dict(num_classes=6 if classifier is None else classifier.shape[0])
    folded = any(".folded." in name for name in weights)
    with torch.device("meta"):
        if model == "student":
            backbone, decode_head = LWRNet(deploy=folded), LWRHead(deploy=folded, **head)
        else:
            supervised = any("side_classifiers" in name for name in weights)
            backbone = UNetPlusPlus()
            decode_head = UNetPlusPlusHead(deep_supervision=supervised, **head)
    return nn.ModuleDict(dict(backbone=backbone, decode_head=decode_head))


def translate(
    weights: Mapping[str, Tensor], model: Literal["student", "teacher"]
) -> dict[str, Tensor]:
    """Rename released weights to those of our segmentors.

    Args:
        weights: State dict with released names.
        model: Which of the two released networks it is.

    Returns:
        The same tensors with our names. Names that the released network does not have are kept,
        for :func:`lwam_mm.models.checkpoint.check_weights` to report.
    """
    rename = _student_name if model == "student" else _teacher_name
    return {rename(name): value for name, value in weights.items()}


def _student_name(name: str) -> str:
    if match := re.fullmatch(rf"stage(\d)(?:\.(\d))?\.({_BRANCH})\.(\w+)", name):
        stage, block, branch, leaf = match.groups()
        return f"backbone.stage{stage}.{block or 0}.{_REP_CONV[branch]}.{leaf}"
    if match := re.fullmatch(rf"conv([1-4])\.0\.({_BRANCH})\.(\w+)", name):
        block, branch, leaf = match.groups()
        return f"decode_head.blocks.{int(block) - 1}.{_REP_CONV[branch]}.{leaf}"
    if match := re.fullmatch(r"convtrans([1-4])\.(\w+)", name):
        return f"decode_head.upsamples.{int(match[1]) - 1}.{match[2]}"
    if match := re.fullmatch(r"conv\.(\w+)", name):
        return f"decode_head.conv_seg.{match[1]}"
    return name


def _teacher_name(name: str) -> str:
    if match := re.fullmatch(r"conv([0-4]0)\.(conv[12]\.[01])\.(\w+)", name):
        node, layer, leaf = match.groups()
        return f"backbone.nodes.x_{node}.{_ENCODER_LAYER[layer]}.{leaf}"
    if match := re.fullmatch(r"up_concat(\d\d)\.conv\.(conv[12]\.0)\.(\w+)", name):
        node, layer, leaf = match.groups()
        return f"decode_head.nodes.x_{node}.{_DECODER_LAYER[layer]}.{leaf}"
    if match := re.fullmatch(r"up_concat(\d\d)\.up\.(\w+)", name):
        return f"decode_head.upsamples.x_{match[1]}.{match[2]}"
    if match := re.fullmatch(r"final_([1-4])\.(\w+)", name):
        column, leaf = match.groups()
        if column == "4":
            return f"decode_head.conv_seg.{leaf}"
        return f"decode_head.side_classifiers.x_0{column}.{leaf}"
    return name
