"""A hook that ends a training whose loss is NaN or infinite."""

from __future__ import annotations

import math
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

from lwam_mm.engine.distributed import any_process
from lwam_mm.utils.errors import UserError


class NonFiniteLossError(UserError, ArithmeticError):
    """The loss of a training became NaN or infinite."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop at the first NaN or infinite loss, before it reaches the weights.

    The hook checks the sum of the losses where the model computes it, before the backward pass.
    On a GPU this waits for the forward pass once per iteration. Several processes all stop, with
    the same message.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._batch: Any = None

    def before_train(self, runner: Runner) -> None:
        """Wrap the model's ``parse_losses``, which adds up the losses."""
        model = _unwrap(runner.model)
        stock = model.parse_losses

        def parse_losses(losses: dict) -> tuple:
            total, by_name = stock(losses)
            is_finite = math.isfinite(total.item())
            if any_process(not is_finite):
                found = None if is_finite else (_losses(by_name), _image_names(self._batch))
                of_processes = [found for found in all_gather_object(found) if found]
                raise NonFiniteLossError(_message(runner, of_processes))
            return total, by_name

        model.parse_losses = parse_losses

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Remember the batch for the message."""
        self._batch = data_batch

    def after_train(self, runner: Runner) -> None:
        """Restore the model's own ``parse_losses``."""
        self._batch = None
        _unwrap(runner.model).__dict__.pop("parse_losses", None)


def _unwrap(model: nn.Module) -> nn.Module:
    return model.module if is_model_wrapper(model) else model


def _message(runner: Runner, found: list[tuple[str, list[str]]]) -> str:
    losses = "; ".join(losses for losses, _ in found)
    images = ", ".join(name for _, names in found for name in names)
    return (
        f"The loss is not finite in iteration {runner.iter + 1}: {losses}. Images of the batch: "
        f"{images}. Training stopped before the weights changed, and nothing was saved. Remedy: "
        "check these images and their masks (tools/check_dataset.py); lower "
        "optim_wrapper.optimizer.lr, or clip the gradients with "
        "optim_wrapper.clip_grad='{max_norm: 1.0}'; if --amp was used, try without it. Then "
        f"continue from the last checkpoint in {runner.work_dir} with --resume"
    )


def _losses(by_name: dict) -> str:
    return ", ".join(f"{name} {value.item():.6g}" for name, value in by_name.items())


def _image_names(batch: Any) -> list[str]:
    samples = batch.get("data_samples") or [] if isinstance(batch, dict) else []
    names = [str(getattr(sample, "img_path", "unnamed")) for sample in samples]
    return names or ["unknown"]
