"""The precision that losses are computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Return ``x``, converted to float32 if it has half precision.

    Under mixed precision the networks return bfloat16 or float16. With their 8 or 11 significant
    bits, a mean over a million pixels or a correlation near 1 would be noise.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
