"""The base of the decode heads of teacher and student."""

from __future__ import annotations

from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
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

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Return the logits, (N, num_classes, H, W), unchanged.

        The base class would resize them to the size that they already have, which leaves a Resize
        node in every exported graph.
        """
        return seg_logits
