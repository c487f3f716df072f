"""A distillation's training steps, as the benchmark's worker processes run them.

Each function takes the arguments of :class:`Training`, and returns what is called and timed.
"""

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
        self.model: nn.Module = MODELS.build(self._config.model)
        load_weights(self.model.teacher, teacher)
        load_weights(self.model.student, student)
        self.model.train()
        self._optim: OptimWrapper = build_optim_wrapper(self.model, self._config.optim_wrapper)
        engine = getattr(self.model, "teacher_engine", None)
        if engine is not None and engine.wants_calibration:
            dataset, preprocessor = self._loader(workers=0).dataset, self.model.data_preprocessor
            engine.calibration = augmented_images(dataset, preprocessor, count=_CALIBRATION_IMAGES)

    def data(self, workers: int | None) -> Iterator[dict]:
        """Yield batches endlessly, loaded by that many workers; None for the config's number."""
        np.random.seed(_SEED)  # noqa: NPY002  what transforms use in this process
        while True:
            yield from self._loader(workers)

    def batches(self) -> Iterator[dict]:
        """Load a few batches now and yield copies of them endlessly."""
        return map(copy.deepcopy, cycle(list(islice(self.data(workers=0), _BATCHES))))

    def step(self, batch: dict) -> Losses:
        """Train on a batch and return its losses by name."""
        losses = self.model.train_step(batch, self._optim)
        if self._keep_memory_hook is not None:
            self._keep_memory_hook.after_train_iter(None)
        return _floats(losses)

    def losses(self, batch: dict) -> Losses:
        """Return the losses that ``step`` would; only batch-norm statistics change."""
        # With gradients, as in train_step: without them a model might compute differently.
        with self._optim.optim_context(self.model):
            found = self.model(**self.model.data_preprocessor(batch, True), mode="loss")
        return _floats(self.model.parse_losses(found)[1])

    def _loader(self, workers: int | None) -> Any:
        settings = copy.deepcopy(self._config.train_dataloader)
        if workers is not None:
            settings.num_workers = workers
        return Runner.build_dataloader(settings, seed=_SEED)


def training_steps(training: Mapping[str, Any], states: Sequence[str] = ()) -> Callable[[], Losses]:
    """Load a distillation whose calls each train on a batch in memory and return its losses.

    Before each of the first calls it writes the student's state dict to the next of ``states``.
    """
    trained, files = Training(**training), iter(states)
    batches = trained.batches()

    def call() -> Losses:
        file = next(files, None)
        if file is not None:
            torch.save(trained.model.student.state_dict(), file)
        return trained.step(next(batches))

    return call


def losses_at_states(training: Mapping[str, Any], states: Sequence[str]) -> Callable[[], Losses]:
    """Load a distillation whose calls each return the losses at the next of the saved states."""
    trained = Training(**training)
    steps = zip(states, trained.batches(), strict=False)

    def call() -> Losses:
        state, batch = next(steps)
        load_weights(trained.model.student, state)  # the optimizer keeps its state
        return trained.losses(batch)

    return call


def waiting_for_data(training: Mapping[str, Any], steps: int) -> Callable[[], float]:
    """Load a distillation whose call returns the share of time spent waiting for data, in 0..1.

    It trains ``steps`` batches from the config's data loader; the first, in which the loader
    starts, does not count.
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
