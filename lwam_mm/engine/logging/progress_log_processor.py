"""A log processor with short lines for the console."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from mmengine.dist import get_world_size
from mmengine.registry import LOG_PROCESSORS
from mmengine.runner import LogProcessor, Runner

from lwam_mm.utils.console import ProgressLine


@LOG_PROCESSORS.register_module()
class ProgressLogProcessor(LogProcessor):
    """mmengine's ``LogProcessor`` that adds a short line to each full one.

    The short line has progress, losses, the latest and the best validation score, images per
    second and the time left, in columns of fixed width:

        epoch  3/80  20/75  loss 1.0231  ce 0.4127  dice 0.6104  mIoU 18.02  best 18.02 ...

    The console of a :class:`ConciseRunner` shows the short line. The log file, and the console of
    any other runner, has mmengine's. TensorBoard and ``scalars.json`` are unchanged.

    The time left is extrapolated from the time since the first line. Unlike mmengine's ``eta`` it
    includes validations and checkpoints. It does not predict an early stop.

    Args:
        metric: The validation metric to show; larger is better.
        **kwargs: Arguments of ``LogProcessor``; ``by_epoch=False`` counts iterations.
    """

    def __init__(self, metric: str = "mIoU", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metric = metric
        self._first: tuple[float, int] | None = None

    def get_log_after_iter(self, runner: Runner, batch_idx: int, mode: str) -> tuple[dict, str]:
        """Return the scalars and the line of an iteration."""
        tag, line = super().get_log_after_iter(runner, batch_idx, mode)
        if mode == "train":
            short = self._training(runner, batch_idx)
        else:
            short = self._evaluation(runner, batch_idx, mode)
        return tag, ProgressLine(line, short)

    def get_log_after_epoch(
        self, runner: Runner, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict, str]:
        """Return the scalars and the line of a validation or a test."""
        tag, line = super().get_log_after_epoch(runner, batch_idx, mode, with_non_scalar)
        if mode == "test":
            newest = runner.message_hub.log_scalars.get(f"test/{self.metric}")
            short = f"test  {self.metric} {_percent(newest and newest.current())}"
        else:
            short = "  ".join([f"validation{_after(runner, self.by_epoch)}", self._scores(runner)])
        return tag, ProgressLine(line, short)

    def _training(self, runner: Runner, batch_idx: int) -> str:
        scalars = self._collect_scalars([], runner, "train")
        if self.by_epoch:
            epoch = _of(runner.epoch + 1, runner.max_epochs)
            columns = [f"epoch {epoch}", _of(batch_idx + 1, len(runner.train_dataloader))]
        else:
            columns = [f"iteration {_of(runner.iter + 1, runner.max_iters)}"]
        losses = {name: value for name, value in scalars.items() if "loss" in name}
        if len(losses) == 2:
            losses.pop("loss", None)  # the sum of one
        names = _short_names(losses)
        columns += [f"{names[name]} {_six(value)}" for name, value in losses.items()]
        columns.append(self._scores(runner))
        if "time" in scalars:
            columns.append(_speed(runner.train_dataloader, scalars["time"]))
            columns.append(_left(self._seconds_left(runner)))
        return "  ".join(columns)

    def _evaluation(self, runner: Runner, batch_idx: int, mode: str) -> str:
        loader = runner.val_dataloader if mode == "val" else runner.test_dataloader
        scalars = self._collect_scalars([], runner, mode)
        what = dict(val="validation", test="test")[mode]
        columns = [f"{what} {_of(batch_idx + 1, len(loader))}"]
        if "time" in scalars:
            columns.append(_speed(loader, scalars["time"]))
            columns.append(_left(runner.message_hub.get_info("eta")))
        return "  ".join(columns)

    def _scores(self, runner: Runner) -> str:
        # Checkpoints contain the history, so a resumed training still has its best score.
        seen = runner.message_hub.log_scalars.get(f"val/{self.metric}")
        newest, best = (seen.current(), seen.max()) if seen is not None else (None, None)
        return f"{self.metric} {_percent(newest)}  best {_percent(best)}"

    def _seconds_left(self, runner: Runner) -> float:
        now, done = time.monotonic(), runner.iter + 1
        if self._first is None:
            self._first = now, done
            return runner.message_hub.get_info("eta")
        began, earlier = self._first
        return (now - began) / (done - earlier) * (runner.max_iters - done)


def _after(runner: Runner, by_epoch: bool) -> str:
    # runner.epoch would build the training loop of a runner that does not train.
    if runner._train_loop is None or isinstance(runner._train_loop, dict):
        return ""
    if by_epoch:
        return f" after epoch {_of(runner.epoch, runner.max_epochs)}"
    return f" after iteration {_of(runner.iter, runner.max_iters)}"


def _of(done: int, total: int) -> str:
    return f"{done:{len(str(total))}}/{total}"


def _short_names(names: Iterable[str]) -> dict[str, str]:
    """Shorten each name to the fewest parts that are unique: ``ce`` for ``decode.loss_ce``."""
    parts = {name: [part.removeprefix("loss_") for part in name.split(".")] for name in names}

    def shortest(name: str) -> str:
        for count in range(1, len(parts[name]) + 1):
            tail = parts[name][-count:]
            if sum(other[-count:] == tail for other in parts.values()) == 1:
                return ".".join(tail)
        return name

    return {name: shortest(name) for name in parts}


def _six(value: float) -> str:
    """Write a number in six characters if possible: 0.4127, 12.345, 1234.5."""
    digits = len(str(int(abs(value)))) if abs(value) < 1e6 else 7  # also for infinity and NaN
    if digits > 6:
        return f"{value:6.0e}"
    return f"{value:6.{max(0, 5 - digits)}f}"


def _percent(value: float | None) -> str:
    return f"{'-':>5}" if value is None else f"{value:5.2f}"


def _speed(loader: Any, seconds: float) -> str:
    images = loader.batch_size or loader.batch_sampler.batch_size
    return f"{images * get_world_size() / max(seconds, 1e-9):6.1f} img/s"


def _left(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{f'{hours}:{minute:02}:{second:02}':>8} left"
