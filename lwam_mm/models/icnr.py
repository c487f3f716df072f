"""ICNR initialization of what upsamples."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def icnr_init(upsamples: Iterable[nn.ConvTranspose2d]) -> None:
    """Initialize transposed convolutions to nearest-neighbour upsampling (ICNR).

    Aitken et al. 2017 (arXiv 1707.02937): all k x k output pixels of an input pixel get the same
    random weights. With independent weights, as torch and the released code draw them, the 16 x 16
    pixels that four upsamplings make of one start unrelated, and learning starts late.

    Args:
        upsamples: Transposed convolutions with stride k; their weights, (C_in, C_out, k, k), are
            changed in place.
    """
    for upsample in upsamples:
        kernel = upsample.weight.data
        kernel.copy_(kernel[:, :, :1, :1].expand_as(kernel).clone())


def icnr_init_before_shuffle(conv: nn.Conv2d, factor: int) -> None:
    """Initialize a convolution before a pixel-shuffle to nearest-neighbour upsampling (ICNR).

    Args:
        conv: The convolution, to ``factor**2`` channels for each channel after the shuffle; its
            weights and bias are changed in place.
        factor: Side of the block that the shuffle makes of a pixel.
    """
    for parameter in conv.parameters():
        blocks = parameter.data.unflatten(0, (-1, factor**2))
        blocks.copy_(blocks[:, :1].expand_as(blocks).clone())
