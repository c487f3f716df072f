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

# Patterns of released names and ours for them, applied in this order.
_STUDENT = [
    (r"^stage0\.", "backbone.stage0.0."),
    (r"^stage", "backbone.stage"),
    *((rf"^conv{n}\.0\.", f"decode_head.blocks.{n - 1}.") for n in range(1, 5)),
    *((rf"^convtrans{n}\.", f"decode_head.upsamples.{n - 1}.") for n in range(1, 5)),
    (r"^conv\.", "decode_head.conv_seg."),
    (r"\.rbr_dense\.conv\.", ".conv3x3."),
    (r"\.rbr_dense\.bn\.", ".norm3x3."),
    (r"\.rbr_1x1\.conv\.", ".conv1x1."),
    (r"\.rbr_1x1\.bn\.", ".norm1x1."),
    (r"\.rbr_identity\.", ".norm_identity."),
    (r"\.rbr_reparam\.", ".folded."),
]
_TEACHER = [
    # Our encoder's nodes are conv, BN, ReLU, conv, BN, ReLU; the decoder's conv, ReLU, conv, ReLU.
    (r"^conv(\d0)\.conv1\.([01])\.", r"backbone.nodes.x_\1.\2."),
    (r"^conv(\d0)\.conv2\.0\.", r"backbone.nodes.x_\1.3."),
    (r"^conv(\d0)\.conv2\.1\.", r"backbone.nodes.x_\1.4."),
    (r"^up_concat(\d\d)\.conv\.conv1\.0\.", r"decode_head.nodes.x_\1.0."),
    (r"^up_concat(\d\d)\.conv\.conv2\.0\.", r"decode_head.nodes.x_\1.2."),
    (r"^up_concat(\d\d)\.up\.", r"decode_head.upsamples.x_\1."),
    (r"^final_4\.", "decode_head.conv_seg."),
    (r"^final_(\d)\.", r"decode_head.side_classifiers.x_0\1."),
]


def read_reference_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict with released names from ``.pth`` or ``.npz``.

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
    patterns = _STUDENT if model == "student" else _TEACHER
    renamed = {}
    for name, value in weights.items():
        for pattern, ours in patterns:
            name = re.sub(pattern, ours, name)
        renamed[name] = value
    return renamed
