"""ICNR initialization of transposed convolutions."""

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
