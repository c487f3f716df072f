"""How transposed convolutions begin."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def begin_as_repetition(upsamples: Iterable[nn.ConvTranspose2d]) -> None:
    """Have transposed convolutions begin as ones that repeat each pixel.

    Each pixel that an input pixel becomes gets the same weights, those that were drawn for the
    first (as Aitken et al. 2017, arXiv 1707.02937, begin). Drawn each for itself, as torch and the
    released code do, all 16 x 16 pixels that four doublings make of one begin unrelated, and
    learning starts late.

    Args:
        upsamples: their weights, (C_in, C_out, k, k), are changed in place.
    """
    for upsample in upsamples:
        kernel = upsample.weight.data
        kernel.copy_(kernel[:, :, :1, :1].expand_as(kernel).clone())
