"""A distillation's training steps, as the benchmark's worker processes run them."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
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
_CALIBRATION_IMAGES = 16

Losses = dict[str, float]


class Training:
    """A distillation in training, with student and teacher loaded.

    Args:
        config: A distillation's config file.
        model: Settings that replace those of the config's model, such as its type.
        amp: Whether to train in bfloat16.
        keep_memory: Whether to keep freed memory after the first step, by KeepMemoryHook.
        student: Checkpoint that the student starts from.
        teacher: Checkpoint of the teacher.
        threads: Threads that torch uses within an operator.
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
            dataset, preprocessor = self._loader(workers=0).dataset, self._model.data_preprocessor
            engine.calibration = augmented_images(dataset, preprocessor, count=_CALIBRATION_IMAGES)

    def data(self, workers: int | None) -> Iterator[dict]:
        """Yield batches endlessly, loaded by so many workers; None for the config's number."""
        np.random.seed(_SEED)  # noqa: NPY002  what transforms use in this process
        while True:
            yield from self._loader(workers)

    def batches(self) -> Iterator[dict]:
        """Yield copies of the same few batches endlessly; they are loaded now."""
        return map(copy.deepcopy, cycle(list(islice(self.data(workers=0), _BATCHES))))

    def save_student(self, path: str) -> None:
        """Write the student's state dict."""
        torch.save(self._model.student.state_dict(), path)

    def load_student(self, path: str) -> None:
        """Load the student's weights; the optimizer keeps its state."""
        load_weights(self._model.student, path)

    def step(self, batch: dict) -> Losses:
        """Train on a batch and return its losses by name."""
        losses = self._model.train_step(batch, self._optim)
        if self._keep_memory_hook is not None:
            self._keep_memory_hook.after_train_iter(None)
        return _floats(losses)

    def losses(self, batch: dict) -> Losses:
        """Return the losses that ``step`` would; only batch-norm statistics change."""
        # With gradients, as in train_step: without them a model might compute differently.
        with self._optim.optim_context(self._model):
            found = self._model(**self._model.data_preprocessor(batch, True), mode="loss")
        return _floats(self._model.parse_losses(found)[1])

    def _loader(self, workers: int | None) -> Any:
        settings = copy.deepcopy(self._config.train_dataloader)
        if workers is not None:
            settings.num_workers = workers
        return Runner.build_dataloader(settings, seed=_SEED)


def training_steps(training: Mapping[str, Any], states: Sequence[str] = ()) -> Callable[[], Losses]:
    """Load a distillation whose calls each train on a batch in memory and return its losses.

    Args:
        training: Arguments of :class:`Training`.
        states: Files for the student's state dict as it was before each of the first steps.
    """
    trained, files = Training(**training), iter(states)
    batches = trained.batches()

    def call() -> Losses:
        file = next(files, None)
        if file is not None:
            trained.save_student(file)
        return trained.step(next(batches))

    return call


def losses_at_states(training: Mapping[str, Any], states: Sequence[str]) -> Callable[[], Losses]:
    """Load a distillation whose calls each return the losses at the next of the saved states.

    Args:
        training: Arguments of :class:`Training`.
        states: The files that :func:`training_steps` wrote.
    """
    trained = Training(**training)
    steps = zip(states, trained.batches(), strict=False)

    def call() -> Losses:
        state, batch = next(steps)
        trained.load_student(state)
        return trained.losses(batch)

    return call


def waiting_for_data(training: Mapping[str, Any], steps: int) -> Callable[[], float]:
    """Load a distillation whose call trains on batches from the config's data loader.

    Args:
        training: Arguments of :class:`Training`.
        steps: Number of steps; the first, in which the loader starts, does not count.

    Returns:
        A function that returns the share of time spent waiting for data, in 0..1.
    """
    trained = Training(**training)

    def call() -> float:
        data = trained.data(workers=None)
        trained.step(next(data))
        started, waited = time.perf_counter(), 0.0
        for _ in range(steps - 1):
            before = time.perf_counter()
            batch = next(data)
            waited += time.perf_counter() - before
            trained.step(batch)
        return waited / (time.perf_counter() - started)

    return call


def _floats(found: Mapping[str, Any]) -> Losses:
    return {name: value.item() for name, value in found.items() if "loss" in name}
