"""A hook that ends a training whose loss is no number any more."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from lwam_mm.engine.hooks.any_process import in_any_process
from lwam_mm.utils.errors import UserError


class NonFiniteLossError(UserError, ArithmeticError):
    """The loss of a training became NaN or infinite."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop at the first NaN or infinite loss, before it reaches the weights.

    Looks at the sum of the losses where the model adds them up, in front of the backward pass.
    On a GPU that is one wait for the forward pass in each iteration. Of several processes all
    stop, with the same message.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._batch: Any = None
        self._undo: Callable[[], None] | None = None

    def before_train(self, runner: Runner) -> None:
        """Look over the model's shoulder when it adds up its losses."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        stock = model.parse_losses

        def parse_losses(losses: dict) -> tuple:
            total, by_name = stock(losses)
            is_finite = math.isfinite(total.item())
            if in_any_process(not is_finite):
                found = None if is_finite else (_figures(by_name), _image_names(self._batch))
                found_by_process = [other for other in all_gather_object(found) if other]
                raise NonFiniteLossError(_message(runner, found_by_process))
            return total, by_name

        model.parse_losses = parse_losses
        self._undo = lambda: model.__dict__.pop("parse_losses", None)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Remember the batch, for the message."""
        self._batch = data_batch

    def after_train(self, runner: Runner) -> None:
        """Leave the model as it was."""
        self._batch = None
        if self._undo is not None:
            self._undo()


def _message(runner: Runner, found: list[tuple[str, list[str]]]) -> str:
    losses = "; ".join(figures for figures, _ in found)
    images = ", ".join(name for _, names in found for name in names)
    return (
        f"The loss is not finite in iteration {runner.iter + 1}: {losses}. Images of the batch: "
        f"{images}. Training stopped before the weights took harm, and nothing was saved. Remedy: "
        "look at these images and their masks (tools/check_dataset.py); lower "
        "optim_wrapper.optimizer.lr, or limit gradients with "
        "optim_wrapper.clip_grad='{max_norm: 1.0}'; with --amp, try without. Then go on from the "
        f"last checkpoint in {runner.work_dir} with --resume"
    )


def _figures(by_name: dict) -> str:
    return ", ".join(f"{name} {value.item():.6g}" for name, value in by_name.items())


def _image_names(batch: Any) -> list[str]:
    samples = batch.get("data_samples") or [] if isinstance(batch, dict) else []
    names = [str(getattr(sample, "img_path", "unnamed")) for sample in samples]
    return names or ["unknown"]
