"""Repair of the log history that mmengine saves in checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lwam_mm.compat.replace import replace


def save_message_hub_as_plain_data() -> bool:
    """Save mmengine's message hub in checkpoints as tensors and plain values.

    For mmengine 0.10.7 under torch 2.6 and later, which cannot load its own checkpoints: they
    pickle HistoryBuffer objects and numpy scalars, which ``weights_only=True`` refuses
    (open-mmlab/mmengine issue 1655). The hub is rebuilt on loading, so a run resumes with its
    whole history. The stock form is still understood.
    """
    from mmengine.logging import HistoryBuffer, MessageHub

    def state_dict(stock: Callable, self: MessageHub) -> dict:
        state = stock(self)
        return dict(
            log_scalars={
                name: dict(
                    log_history=_plain(buffer.data[0], name),
                    count_history=_plain(buffer.data[1], name),
                    max_length=buffer.max_length,
                )
                for name, buffer in state["log_scalars"].items()
            },
            runtime_info={k: _plain(v, k) for k, v in state["runtime_info"].items()},
            resumed_keys=dict(state["resumed_keys"]),
        )

    def load_state_dict(stock: Callable, self: MessageHub, state_dict: dict) -> None:
        if isinstance(state_dict, dict):
            scalars = {
                name: HistoryBuffer(
                    value["log_history"].cpu().numpy(),  # a resumed run maps them to the GPU
                    value["count_history"].cpu().numpy(),
                    value["max_length"],
                )
                if isinstance(value, dict)
                else value
                for name, value in state_dict["log_scalars"].items()
            }
            state_dict = {**state_dict, "log_scalars": scalars}
        stock(self, state_dict)

    replace("load_state_dict", MessageHub, by=load_state_dict)
    return replace("state_dict", MessageHub, by=state_dict)


def _plain(value: Any, name: str) -> Any:
    """Convert a value to types that ``torch.load(weights_only=True)`` accepts."""
    import numpy as np
    import torch

    if value is None or isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.from_numpy(value.copy())
    if isinstance(value, np.ndarray):
        return _plain(value.tolist(), name)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str):
        return str.__str__(value)  # str() of an enum returns its name
    for kind in (bool, int, float, bytes):
        if isinstance(value, kind):
            return kind(value)  # also from subclasses, such as numpy's or an enum
    if isinstance(value, dict):
        return {_plain(k, name): _plain(v, name) for k, v in value.items()}
    if isinstance(value, list | tuple):
        kind = tuple if isinstance(value, tuple) else list
        return kind(_plain(v, name) for v in value)
    raise TypeError(
        f"runtime information {name!r} holds a {type(value).__module__}.{type(value).__qualname__}"
        ", which cannot be loaded safely from a checkpoint; pass it to the message hub as numbers, "
        "text, lists, dicts or tensors, or with resumed=False"
    )
