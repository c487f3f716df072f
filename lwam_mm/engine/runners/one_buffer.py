"""Sends a batch from a data worker in one piece of shared memory.

PyTorch sends each tensor of a batch by itself, with a file descriptor of its own. A batch of 32
images and masks, which OpenMMLab stacks only on the device, are 64 of them: on small images the
training then spends more time on receiving the batch than on computing with it.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_ALIGNMENT = 64  # bytes, as PyTorch aligns tensors


class OneBufferCollate:
    """Collates as ``collate`` does; what a worker then sends arrives as if sent tensor by tensor.

    Args:
        collate: Makes a batch of a list of samples.
    """

    def __init__(self, collate: Callable[[Sequence], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: Sequence) -> Any:
        """Collate the samples; return a batch that packs itself when it is pickled."""
        return _Packed(self.collate(samples))


class _Packed:
    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __reduce__(self) -> tuple:
        """Pickle all tensors and arrays into one tensor, and the rest beside it."""
        buffers: list[pickle.PickleBuffer] = []
        rest = io.BytesIO()
        _Pickler(rest, protocol=5, buffer_callback=buffers.append).dump(self.batch)
        pieces = [buffer.raw() for buffer in buffers]
        bounds = []
        end = 0
        for piece in pieces:
            start = -(-end // _ALIGNMENT) * _ALIGNMENT
            end = start + piece.nbytes
            bounds.append((start, end))
        packed = torch.empty(end, dtype=torch.uint8)
        view = memoryview(packed.numpy())
        for (start, stop), piece in zip(bounds, pieces, strict=True):
            view[start:stop] = piece
        return _unpack, (rest.getvalue(), packed, bounds)


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """Keep the bytes of plain tensors apart, as NumPy does for its arrays."""
        if type(obj) is not Tensor or obj.layout != torch.strided or obj.device.type != "cpu":
            return NotImplemented
        if obj.requires_grad or obj.numel() == 0 or obj.is_conj() or obj.is_neg():
            return NotImplemented
        content = obj.contiguous().reshape(-1).view(torch.uint8).numpy()
        return _tensor, (pickle.PickleBuffer(content), obj.dtype, obj.shape)


def _unpack(rest: bytes, packed: Tensor, bounds: list[tuple[int, int]]) -> Any:
    view = memoryview(packed.numpy())
    # Safe: it comes from a worker of this process.
    return pickle.loads(rest, buffers=[view[start:stop] for start, stop in bounds])


def _tensor(content: Any, dtype: torch.dtype, shape: torch.Size) -> Tensor:
    return torch.frombuffer(content, dtype=torch.uint8).view(dtype).reshape(shape)
