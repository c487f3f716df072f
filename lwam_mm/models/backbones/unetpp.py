"""The teacher's encoder."""

from __future__ import annotations

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from lwam_mm.models.input_size import require_multiple_of_stride

# As released: Kaiming normal (fan-in) for convolutions, N(1, 0.02) for the weights of batch norms.
INIT_CFG = [
    dict(type="Kaiming", a=0, mode="fan_in", layer=["Conv2d", "ConvTranspose2d"]),
    dict(type="Normal", mean=1.0, std=0.02, layer=["_BatchNorm"]),
]


@MODELS.register_module()
class UNetPlusPlus(BaseModule):
    """Encoder of UNet++: the nodes X_00, X_10, .. X_40 (Zhou et al. 2018, arXiv 1807.10165).

    A node is two 3x3 convolutions, each with batch norm and ReLU; between nodes is a 2x2 max-pool.
    Distillation teaches the deepest feature to the student; its recorder's source is
    ``backbone.nodes.x_40``.

    Args:
        in_channels: Channels of the image.
        base_channels: Width of X_00; the released teacher has 32. X_i0 has 2**i times as many
            channels.
        norm_cfg: Norm layers, ``dict(type='BN')`` by default.
        init_cfg: Initialization config of mmengine; as released by default.

    Example:
        >>> import torch
        >>> from lwam_mm.models import UNetPlusPlus
        >>> encoder = UNetPlusPlus(base_channels=8)
        >>> [tuple(feature.shape) for feature in encoder(torch.zeros(1, 3, 32, 48))][::4]
        [(1, 8, 32, 48), (1, 128, 2, 3)]
    """

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 32,
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = INIT_CFG,
    ) -> None:
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or dict(type="BN")
        self.nodes = nn.ModuleDict()
        for level in range(5):
            channels = base_channels * 2**level
            self.nodes[f"x_{level}0"] = unetpp_node(in_channels, channels, norm_cfg)
            in_channels = channels
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Encode images.

        Args:
            x: Normalized images, (N, in_channels, H, W), H and W multiples of 16.

        Returns:
            X_00 to X_40; X_i0 is (N, base_channels * 2**i, H / 2**i, W / 2**i).

        Raises:
            ValueError: H or W is not a multiple of 16.
        """
        require_multiple_of_stride(x)
        features: list[Tensor] = []
        for node in self.nodes.values():
            x = node(self.pool(x) if features else x)
            features.append(x)
        return tuple(features)


def unetpp_node(in_channels: int, channels: int, norm_cfg: dict) -> nn.Sequential:
    """Build a node of the encoder, which maps (N, in_channels, H, W) to (N, channels, H, W)."""
    return nn.Sequential(
        *_conv_norm_relu(in_channels, channels, norm_cfg),
        *_conv_norm_relu(channels, channels, norm_cfg),
    )


def _conv_norm_relu(in_channels: int, out_channels: int, norm_cfg: dict) -> list[nn.Module]:
    from mmcv.cnn import build_norm_layer

    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        build_norm_layer(norm_cfg, out_channels)[1],
        nn.ReLU(inplace=True),
    ]
