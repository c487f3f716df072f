"""Teacher and student: backbones, decode heads, losses and re-parameterization."""

from lwam_mm import compat

compat.apply()

from lwam_mm.models.backbones.lwrnet import LWRNet  # noqa: E402  after the repairs
from lwam_mm.models.backbones.spreadnet import SpreadNet  # noqa: E402
from lwam_mm.models.backbones.unetpp import UNetPlusPlus  # noqa: E402
from lwam_mm.models.backbones.unetpp_efficientnet_lite0 import (  # noqa: E402
    UNetPlusPlusEfficientNetLite0,
)
from lwam_mm.models.decode_heads.lwr_head import LWRHead  # noqa: E402
from lwam_mm.models.decode_heads.spread_head import SpreadHead  # noqa: E402
from lwam_mm.models.decode_heads.unetpp_head import UNetPlusPlusHead  # noqa: E402
from lwam_mm.models.reparam.fold import FoldableConv, reparameterize  # noqa: E402
from lwam_mm.models.reparam.qa_rep_conv import QARepConv  # noqa: E402
from lwam_mm.models.reparam.rep_conv import RepConv  # noqa: E402
from lwam_mm.models.segmentors.foldable_encoder_decoder import (  # noqa: E402
    FoldableEncoderDecoder,
)

__all__ = [
    "FoldableConv",
    "FoldableEncoderDecoder",
    "LWRHead",
    "LWRNet",
    "QARepConv",
    "RepConv",
    "SpreadHead",
    "SpreadNet",
    "UNetPlusPlus",
    "UNetPlusPlusEfficientNetLite0",
    "UNetPlusPlusHead",
    "reparameterize",
]
