"""Whether a segmentor's heads predict the classes of its data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmseg.models.segmentors import BaseSegmentor
from torch import nn

from lwam_mm.utils.errors import UserError


class OutputClassesError(UserError, ValueError):
    """A decode head cannot predict the classes of the data set."""


def refuse_single_logit(model: nn.Module) -> None:
    """Refuse a segmentor that tells two classes apart by the sigmoid of one logit.

    MMSegmentation has such heads (``out_channels=1``). Here scores, distillation losses and
    bundles need one logit for each class.

    Args:
        model: A segmentor, a distillation of some, or a decode head.

    Raises:
        OutputClassesError: A decode head has a single output channel.
    """
    heads = dict(_decode_heads(model)) or {"decode_head": model}
    for name, head in heads.items():
        if getattr(head, "out_channels", None) == 1:
            raise OutputClassesError(
                f"{name}: out_channels=1 is one logit for both classes, which is not supported. "
                "Set num_classes=2, leave out_channels and threshold out, and use a loss with "
                "softmax, such as CrossEntropyLoss(use_sigmoid=False)"
            )


def check_output_classes(model: nn.Module, classes: Sequence[str], data: str) -> None:
    """Compare the number of classes of a segmentor's heads with those of a data set.

    Args:
        model: A segmentor, or a distillation of some.
        classes: The data set's class names.
        data: What to call the data set in the error, such as ``train_dataloader``.

    Raises:
        OutputClassesError: A head has another number of classes.
    """
    heads = [*_decode_heads(model), *_auxiliary_heads(model)]
    for name, head in heads:
        predicted = getattr(head, "num_classes", None)
        if predicted is not None and predicted != len(classes):
            raise OutputClassesError(
                f"model.{name} predicts {predicted} classes, but the data set of {data} has "
                f"{len(classes)} ({', '.join(classes)}). Set model.{name}.num_classes="
                f"{len(classes)}, or the data set's classes by metainfo=dict(classes=[...]) in "
                f"{data}.dataset"
            )


def _segmentors(model: nn.Module) -> Iterator[tuple[str, BaseSegmentor]]:
    for name, module in model.named_modules():
        if isinstance(module, BaseSegmentor):
            yield f"{name}." if name else "", module


def _decode_heads(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for prefix, segmentor in _segmentors(model):
        head = getattr(segmentor, "decode_head", None)
        if isinstance(head, nn.ModuleList):  # of a cascade; the last one predicts
            yield f"{prefix}decode_head.{len(head) - 1}", head[-1]
        elif head is not None:
            yield f"{prefix}decode_head", head


def _auxiliary_heads(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for prefix, segmentor in _segmentors(model):
        auxiliary = getattr(segmentor, "auxiliary_head", None)
        is_list = isinstance(auxiliary, nn.ModuleList)
        for index, head in enumerate(auxiliary if is_list else filter(None, [auxiliary])):
            # STDC's head for the detail of edges learns edge and no edge.
            if not hasattr(head, "boundary_threshold"):
                yield f"{prefix}auxiliary_head" + (f".{index}" if is_list else ""), head
