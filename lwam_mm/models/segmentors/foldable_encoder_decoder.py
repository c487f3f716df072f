"""mmseg's EncoderDecoder with the method by which OpenMMLab's tools fold a model."""

from __future__ import annotations

from typing import Any

from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS

from lwam_mm.models.output_classes import refuse_single_logit
from lwam_mm.models.reparam.fold import Foldable


@MODELS.register_module()
class FoldableEncoderDecoder(Foldable, EncoderDecoder):
    """``EncoderDecoder`` that folds the blocks of its encoder and of its heads.

    Everything else is mmseg's. The networks also work inside the plain ``EncoderDecoder``; but
    MMDeploy's own exporter, which calls ``switch_to_deploy`` of backbone and segmentor, would then
    leave the branches of the head in the exported graph.

    Raises:
        OutputClassesError: A decode head has a single output channel.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        refuse_single_logit(self)
