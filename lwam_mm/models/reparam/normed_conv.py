"""A convolution of any kernel with its batch norm, which fold into one."""

from __future__ import annotations

from torch import Tensor, nn

from lwam_mm.models.reparam.fold import FoldableBlock, fold_norm


class NormedConv(FoldableBlock):
    """Convolution and batch norm that fold into a single convolution.

    For kernels that have no branches: 1x1, and strips such as 1x9, which see far along a line at
    the cost of one line of weights.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, odd numbers. It is padded to keep the size.
        activation: Whether a ReLU follows.
        norm_cfg: Config of the norm layer, by default ``dict(type='BN')``. It must be a batch norm
            with running statistics, since nothing else folds.
        deploy: Build the folded form, for checkpoints of a folded model.

    Raises:
        TypeError: ``norm_cfg`` does not build such a batch norm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int] = (1, 1),
        activation: bool = True,
        norm_cfg: dict | None = None,
        deploy: bool = False,
    ) -> None:
        super().__init__()
        height, width = kernel_size
        geometry = dict(kernel_size=kernel_size, padding=(height // 2, width // 2))
        self.activation = nn.ReLU(inplace=True) if activation else nn.Identity()
        if deploy:
            self.folded = nn.Conv2d(in_channels, out_channels, bias=True, **geometry)
            return
        self.dense = nn.Conv2d(in_channels, out_channels, bias=False, **geometry)
        self.norm = self._batch_norm(norm_cfg or dict(type="BN"), out_channels)

    def sum_branches(self, x: Tensor) -> Tensor:
        """Convolve and normalize."""
        return self.norm(self.dense(x))

    def fold_branches(self) -> tuple[Tensor, Tensor]:
        """Fold the norm into the convolution."""
        return fold_norm(self.dense.weight, 0, self.norm)
