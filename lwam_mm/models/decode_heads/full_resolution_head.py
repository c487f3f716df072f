"""The base of the decode heads of teacher and student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from lwam_mm.models.output_classes import refuse_single_logit


class FullResolutionHead(BaseDecodeHead):
    """Decode head whose logits have the size of the (padded) input.

    Args:
        *args: Those of mmseg's ``BaseDecodeHead``.
        repeat_pixels: Whether the transposed convolutions start as nearest-neighbour upsampling
            (ICNR, Aitken et al. 2017, arXiv 1707.02937): all k x k output pixels of an input pixel
            get the same random weights. With independent weights, as torch and the released code
            draw them, the 16 x 16 pixels that four upsamplings make of one start unrelated, and
            learning starts late.
        dropout_ratio: That of mmseg's ``BaseDecodeHead``; 0 as released.
        **kwargs: Those of mmseg's ``BaseDecodeHead``: ``num_classes``, ``loss_decode``,
            ``sampler``, ``ignore_index``, ...

    Attributes:
        logits: Returns its input. It exists for MMRazor's recorders, which hook into modules that
            are called, while mmseg calls a head's ``forward`` directly.

    Raises:
        OutputClassesError: ``out_channels`` is 1.
    """

    def __init__(
        self, *args: Any, repeat_pixels: bool = True, dropout_ratio: float = 0, **kwargs: Any
    ) -> None:
        super().__init__(*args, dropout_ratio=dropout_ratio, **kwargs)
        refuse_single_logit(self)
        self.repeat_pixels = repeat_pixels
        self.logits = nn.Identity()

    def init_weights(self) -> None:
        """Initialize by ``init_cfg``, then the transposed convolutions by ICNR if asked for."""
        super().init_weights()
        if self.repeat_pixels:
            for module in self.modules():
                if isinstance(module, nn.ConvTranspose2d):
                    kernel = module.weight.data  # (C_in, C_out, k, k)
                    kernel.copy_(kernel[:, :, :1, :1].expand_as(kernel).clone())

    def loss_by_feat(
        self, seg_logits: Tensor, batch_data_samples: Sequence[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compute the losses and, as ``acc_seg``, the share of the counted pixels that are right.

        As in mmseg, in less time: the base class resizes the logits to the size that they already
        have, and sorts each pixel's classes to find the largest, a tenth of a training step on
        CPUs.

        Args:
            seg_logits: Logits, (N, num_classes, H, W).
            batch_data_samples: N samples with masks of the same size.

        Returns:
            Each loss by its name, losses of one name added up, and ``acc_seg`` in percent.
        """
        labels = self._stack_batch_gt(batch_data_samples)  # (N, 1, H, W)
        weight = None if self.sampler is None else self.sampler.sample(seg_logits, labels)
        several = isinstance(self.loss_decode, nn.ModuleList)
        losses: dict[str, Tensor] = {}
        for loss in self.loss_decode if several else [self.loss_decode]:
            value = loss(
                seg_logits, labels.squeeze(1), weight=weight, ignore_index=self.ignore_index
            )
            earlier = losses.get(loss.loss_name)
            losses[loss.loss_name] = value if earlier is None else earlier + value
        losses["acc_seg"] = _accuracy(seg_logits.detach(), labels, self.ignore_index)
        return losses

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Return the logits, (N, num_classes, H, W), unchanged.

        The base class would resize them to the size that they already have, which leaves a Resize
        node in every exported graph.
        """
        return seg_logits


def _accuracy(logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
    counted = labels != ignore_index
    of_truth = logits.gather(1, labels.where(counted, 0))
    correct = (of_truth >= logits.amax(1, keepdim=True)) & counted
    return 100 * correct.sum() / counted.sum().clamp(min=1)
