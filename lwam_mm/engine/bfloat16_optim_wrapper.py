"""Mixed precision on CPUs: bfloat16, which mmengine's wrapper offers on accelerators only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Run the forward pass under autocast to bfloat16; weights and updates stay float32.

    bfloat16 has the range of float32, so the loss needs no scaling. It is faster on CPUs with
    bfloat16 instructions (AMX, AVX-512 BF16). Elsewhere it is emulated and slower than float32.

    Args:
        device_type: Torch's name of the device type, "cpu" or "cuda".
        **kwargs: Arguments of mmengine's ``OptimWrapper``.
    """

    def __init__(self, device_type: str = "cpu", **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.device_type = device_type

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast and the context of mmengine's own wrapper."""
        with super().optim_context(model), torch.autocast(self.device_type, torch.bfloat16):
            yield
