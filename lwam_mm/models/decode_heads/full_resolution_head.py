"""What the decode heads of teacher and student share."""

from __future__ import annotations

from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from lwam_mm.models.output_classes import refuse_single_logit


class FullResolutionHead(BaseDecodeHead):
    """Decode head whose logits come out at the (padded) input's own size.

    ``logits`` is a module that hands its input on. It exists to be recorded: MMRazor's recorders
    hook modules that are called, and mmseg calls a head's ``forward`` directly.
    """

    def __init__(self, *args: Any, dropout_ratio: float = 0, **kwargs: Any) -> None:
        super().__init__(*args, dropout_ratio=dropout_ratio, **kwargs)
        refuse_single_logit(self)
        self.logits = nn.Identity()

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Return the logits (N, num_classes, H, W) as they are.

        The base class would resize them to the size that they have, and leave a Resize node in
        every exported graph.
        """
        return seg_logits
