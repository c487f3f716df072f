"""mmseg's EncoderDecoder with the method that OpenMMLab's tools fold a model by."""

from __future__ import annotations

from typing import Any

from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS

from lwam_mm.models.output_classes import refuse_single_logit
from lwam_mm.models.reparam.fold import reparameterize


@MODELS.register_module()
class FoldableEncoderDecoder(EncoderDecoder):
    """``EncoderDecoder`` whose blocks fold, in the encoder as well as in the heads.

    Everything else is mmseg's. The networks also work inside the plain ``EncoderDecoder``; there
    MMDeploy's stock road, which asks backbone and segmentor for ``switch_to_deploy``, would leave
    the head's branches in the exported graph.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        refuse_single_logit(self)

    def switch_to_deploy(self) -> None:
        """Go into eval mode and fold every block in place; folding again changes nothing.

        MMDeploy calls this between loading and ``eval()``, hence the first half.
        """
        reparameterize(self.eval(), inplace=True)
