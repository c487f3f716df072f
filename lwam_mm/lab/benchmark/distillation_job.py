"""A distillation's steps, as a worker of the benchmark runs them."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import MODELS
from torch import nn

import lwam_mm.plugin  # noqa: F401  registers our modules
from lwam_mm.distill.calibrate_teacher_hook import augmented_images
from lwam_mm.engine.hooks.keep_memory_hook import KeepMemoryHook
from lwam_mm.engine.launch import enable_amp
from lwam_mm.models.checkpoint import load_weights

_SEED = 0
_BATCHES = 4


def step(training: Mapping[str, Any], losses: str) -> Callable[[], None]:
    """Prepare a training step on batches that are at hand: forward, backward, optimizer.

    Args:
        training: arguments of :class:`Training`, as for all that is prepared here.
        losses: file to append each step's losses to, as a line of JSON.
    """
    trained = Training(**training)
    batches = trained.batches()

    def call() -> None:
        _append(trained.step(next(batches)), losses)

    return call


def step_to_follow(
    training: Mapping[str, Any], losses: str, states: Sequence[str]
) -> Callable[[], None]:
    """Prepare steps like those of :func:`step` that say which weights they were taken from.

    Args:
        training: likewise.
        losses: likewise.
        states: one file a step, to write the student's state dict to as it was before that step.
    """
    trained = Training(**training)
    steps = zip(states, trained.batches(), strict=False)

    def call() -> None:
        state, batch = next(steps)
        trained.save_student(state)
        _append(trained.step(batch), losses)

    return call


def losses_from(
    training: Mapping[str, Any], losses: str, states: Sequence[str]
) -> Callable[[], None]:
    """Prepare the losses of the steps of :func:`step_to_follow`, from the same weights.

    Args:
        training: likewise.
        losses: likewise.
        states: the files that :func:`step_to_follow` wrote; each call takes the next.
    """
    trained = Training(**training)
    steps = zip(states, trained.batches(), strict=False)

    def call() -> None:
        state, batch = next(steps)
        trained.load_student(state)
        _append(trained.losses(batch), losses)

    return call


def steps_with_data(training: Mapping[str, Any], steps: int, waiting: str) -> Callable[[], None]:
    """Prepare steps in a row whose batches come from the config's data loader.

    Args:
        training: likewise.
        steps: how many; the first, in which the loader starts, does not count.
        waiting: file to write to which share of the time was spent waiting for data, in 0..1.
    """
    trained = Training(**training)

    def call() -> None:
        data = trained.data(workers=None)
        trained.step(next(data))
        started, waited = time.perf_counter(), 0.0
        for _ in range(steps - 1):
            before = time.perf_counter()
            batch = next(data)
            waited += time.perf_counter() - before
            trained.step(batch)
        Path(waiting).write_text(json.dumps(waited / (time.perf_counter() - started)))

    return call


class Training:
    """A distillation in training, its student and teacher loaded.

    Args:
        config: a distillation's config file.
        model: replaces settings of the config's model, such as its type.
        amp: train in bfloat16.
        keep_memory: keep freed memory after the first step, by KeepMemoryHook.
        student: checkpoint that the student starts from.
        teacher: the teacher's checkpoint.
        threads: torch's threads within an operator.
    """

    def __init__(
        self,
        config: str,
        model: Mapping[str, Any],
        amp: bool,
        keep_memory: bool,
        student: str,
        teacher: str,
        threads: int,
    ) -> None:
        torch.set_num_threads(threads)
        self._keep_memory_hook = KeepMemoryHook() if keep_memory else None
        self._config = Config.fromfile(config)
        init_default_scope("mmseg")
        self._config.model.update(model)
        if amp:
            enable_amp(self._config)
        torch.manual_seed(_SEED)
        self._model: nn.Module = MODELS.build(self._config.model)
        load_weights(self._model.teacher, teacher)
        self.load_student(student)
        self._model.train()
        self._optim: OptimWrapper = build_optim_wrapper(self._model, self._config.optim_wrapper)
        engine = getattr(self._model, "teacher_engine", None)
        if engine is not None and engine.wants_calibration:
            loader = self._loader(workers=0)
            engine.calibration = augmented_images(
                loader.dataset, self._model.data_preprocessor, count=16
            )

    def data(self, workers: int | None) -> Iterator[dict]:
        """Give batches without end, by so many workers of the loader; None for the config's."""
        np.random.seed(_SEED)  # noqa: NPY002  what transforms use in this process
        while True:
            yield from self._loader(workers)

    def batches(self) -> Iterator[dict]:
        """Give the same few batches over and over, loaded now; what takes one may change it."""
        return map(copy.deepcopy, cycle(list(islice(self.data(workers=0), _BATCHES))))

    def save_student(self, path: str) -> None:
        """Write the student's state dict."""
        torch.save(self._model.student.state_dict(), path)

    def load_student(self, path: str) -> None:
        """Take the student's weights from a file; the optimizer's state stays."""
        load_weights(self._model.student, path)

    def step(self, batch: dict) -> dict[str, float]:
        """Take a training step; return its losses by name."""
        losses = _floats(self._model.train_step(batch, self._optim))
        if self._keep_memory_hook is not None:
            self._keep_memory_hook.after_train_iter(None)
        return losses

    def losses(self, batch: dict) -> dict[str, float]:
        """Compute what ``step`` would; of the model only batch norms' statistics change."""
        # With gradients, as in train_step: without them a model might take another path.
        with self._optim.optim_context(self._model):
            found = self._model(**self._model.data_preprocessor(batch, True), mode="loss")
        return _floats(self._model.parse_losses(found)[1])

    def _loader(self, workers: int | None) -> Any:
        settings = copy.deepcopy(self._config.train_dataloader)
        if workers is not None:
            settings.update(num_workers=workers, persistent_workers=False)
        return Runner.build_dataloader(settings, seed=_SEED)


def _floats(found: Mapping[str, Any]) -> dict[str, float]:
    return {name: value.item() for name, value in found.items() if "loss" in name}


def _append(found: Mapping[str, float], path: str) -> None:
    with Path(path).open("a") as file:
        file.write(json.dumps(found) + "\n")
