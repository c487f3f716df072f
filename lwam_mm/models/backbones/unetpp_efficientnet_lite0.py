"""An encoder for the teacher that has seen ImageNet."""

from __future__ import annotations

from collections import OrderedDict

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.backbones.imagenet_weights import efficientnet_lite0_weights
from lwam_mm.models.backbones.inverted_residual import InvertedResidual, SamePaddedConv
from lwam_mm.models.backbones.unetpp import INIT_CFG, unetpp_node
from lwam_mm.models.input_size import require_multiple_of_stride

_STEM_CHANNELS = 32
# The stages of EfficientNet-Lite0 down to 1/16 of the image's size, by the node that they end in:
# blocks, channels, kernel, stride of the first block, expansion. From efficientnet_lite_builder.py
# of github.com/tensorflow/tpu.
_STAGES = {
    "x_10": [(1, 16, 3, 1, 1)],
    "x_20": [(2, 24, 3, 2, 6)],
    "x_30": [(2, 40, 5, 2, 6)],
    "x_40": [(3, 80, 3, 2, 6), (3, 112, 5, 1, 6)],
}


@MODELS.register_module()
class UNetPlusPlusEfficientNetLite0(BaseModule):
    """Encoder of UNet++ whose nodes X_10 to X_40 are EfficientNet-Lite0 (arXiv 1905.11946).

    The stages down to 1/16 of the image's size take the places of X_10 to X_40; each sees more than
    300 pixels there, a whole magnetic tile. The last ones, at 1/32, are left out, so that inputs
    are multiples of 16 as everywhere in this package. X_00 is UNet++'s own node at full size, where
    EfficientNet has nothing; it starts from random weights.

    The weights come from the extra ``pretrained`` and are read when a training starts. A test or an
    export does not need them: its checkpoint has all weights. They expect RGB images x normalized
    as (x - 127) / 128, which is the config's ``data_preprocessor``.

    Args:
        in_channels: Channels of the image, 3 unless ``pretrained`` is off.
        base_channels: Width of X_00. X_10 to X_40 have 16, 24, 40 and 112 channels.
        pretrained: Whether a training starts from the weights of ImageNet.
        norm_cfg: Norm layers, ``dict(type='BN')`` by default. EfficientNet's have an ``eps`` of
            1e-3.
        init_cfg: Initialization config of mmengine for what is not pretrained; that of UNet++ by
            default.

    Raises:
        ValueError: ``in_channels`` is not 3, but the weights of ImageNet are asked for.

    Example:
        >>> import torch
        >>> from lwam_mm.models import UNetPlusPlusEfficientNetLite0
        >>> encoder = UNetPlusPlusEfficientNetLite0(base_channels=8)
        >>> [tuple(feature.shape) for feature in encoder(torch.zeros(1, 3, 32, 48))][::4]
        [(1, 8, 32, 48), (1, 112, 2, 3)]
    """

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 8,
        pretrained: bool = True,
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = INIT_CFG,
    ) -> None:
        super().__init__(init_cfg)
        if pretrained and in_channels != 3:
            raise ValueError(
                f"in_channels={in_channels}: the weights of ImageNet are for RGB images; set "
                "pretrained=False, or in_channels=3"
            )
        self.pretrained = pretrained
        norm_cfg = norm_cfg or dict(type="BN")
        self.nodes = nn.ModuleDict({"x_00": unetpp_node(in_channels, base_channels, norm_cfg)})
        stem = SamePaddedConv(in_channels, _STEM_CHANNELS, 3, stride=2, norm_cfg=norm_cfg)
        layers: OrderedDict[str, nn.Module] = OrderedDict(stem=stem)
        width, number = _STEM_CHANNELS, 0
        for name, stages in _STAGES.items():
            for depth, channels, kernel_size, stride, expansion in stages:
                for index in range(depth):
                    layers[f"block_{number}"] = InvertedResidual(
                        width, channels, kernel_size, 1 if index else stride, expansion, norm_cfg
                    )
                    width, number = channels, number + 1
            self.nodes[name] = nn.Sequential(layers)
            layers = OrderedDict()

    def init_weights(self) -> None:
        """Initialize by ``init_cfg``, then X_10 to X_40 by the weights of ImageNet if asked for.

        Raises:
            lwam_mm.models.backbones.imagenet_weights.MissingWeightsError: They are not installed.
        """
        first_time = not self.is_init
        super().init_weights()
        if not (self.pretrained and first_time):
            return
        weights = efficientnet_lite0_weights()
        for name in _STAGES:
            node = self.nodes[name]
            node.load_state_dict({key: weights[key] for key in node.state_dict()})

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Encode images.

        Args:
            x: Images, (N, in_channels, H, W), normalized as (x - 127) / 128, H and W multiples
                of 16.

        Returns:
            X_00 to X_40; X_i0 is (N, C, H / 2**i, W / 2**i), where C is ``base_channels``, 16, 24,
            40 and 112.

        Raises:
            ValueError: H or W is not a multiple of 16.
        """
        require_multiple_of_stride(x)
        # All layers, the head's too, take over this layout, in which a training step on a CPU needs
        # two thirds of the time.
        x = x.contiguous(memory_format=torch.channels_last)
        features = [self.nodes["x_00"](x)]
        for name in _STAGES:
            x = self.nodes[name](x)
            features.append(x)
        return tuple(features)
