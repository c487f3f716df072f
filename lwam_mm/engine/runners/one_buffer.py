"""Brings a batch from a data worker to the device in one piece.

PyTorch sends the tensors of a batch one by one, each with its own file descriptor. OpenMMLab then
copies them to the GPU one by one. A batch of 32 images with masks has 64 tensors, so with small
images and nets this takes as long as the training step.
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
    """Collates as ``collate`` does; what a worker then sends arrives in one piece of memory.

    The batch that arrives is the same, except that its tensors lie on ``device``.

    Args:
        collate: Makes a batch of a list of samples.
        device: Where the tensors of the batch shall be.
    """

    def __init__(
        self, collate: Callable[[Sequence], Any], device: str | torch.device = "cpu"
    ) -> None:
        self.collate = collate
        self.device = device

    def __call__(self, samples: Sequence) -> Any:
        """Collate the samples; return a batch that packs itself when it is pickled."""
        return _Batch(self.collate(samples), self.device)


class _Batch:
    def __init__(self, content: Any, device: str | torch.device) -> None:
        self.content = content
        self.device = device

    def __reduce__(self) -> tuple:
        """Pickle the plain tensors into one, and all else beside it."""
        rest = io.BytesIO()
        pickler = _Pickler(rest)
        pickler.dump(self.content)
        return _unpack, (rest.getvalue(), pickler.pack(), self.device)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._bytes: list[Tensor] = []
        self._places: dict[int, tuple] = {}
        self._end = 0

    def persistent_id(self, obj: Any) -> tuple | None:
        """Take a plain tensor's bytes; return their place, data type and shape."""
        if type(obj) is not Tensor or obj.layout != torch.strided or obj.device.type != "cpu":
            return None
        if obj.requires_grad or obj.numel() == 0 or obj.is_conj() or obj.is_neg():
            return None
        if id(obj) not in self._places:
            content = obj.contiguous().reshape(-1).view(torch.uint8)
            self._places[id(obj)] = (self._end, len(content), obj.dtype, tuple(obj.shape))
            self._bytes.append(content)
            self._end += -(-len(content) // _ALIGNMENT) * _ALIGNMENT
        return self._places[id(obj)]

    def pack(self) -> Tensor:
        """Return all bytes taken so far."""
        packed = torch.empty(self._end, dtype=torch.uint8)
        for (start, length, *_), content in zip(self._places.values(), self._bytes, strict=True):
            packed[start : start + length] = content
        return packed


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, packed: Tensor) -> None:
        super().__init__(file)
        self._packed = packed
        self._tensors: dict[tuple, Tensor] = {}

    def persistent_load(self, pid: tuple) -> Tensor:
        """Return the tensor at a place."""
        if pid not in self._tensors:
            start, length, dtype, shape = pid
            content = self._packed[start : start + length]
            self._tensors[pid] = content.view(dtype).reshape(shape)
        return self._tensors[pid]


def _unpack(rest: bytes, packed: Tensor, device: str | torch.device) -> Any:
    # Safe to unpickle: it comes from a worker of this process.
    return _Unpickler(io.BytesIO(rest), packed.to(device)).load()
