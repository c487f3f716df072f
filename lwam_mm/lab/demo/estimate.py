"""How long a training will take, by a few iterations of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from itertools import islice

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import MODELS

from lwam_mm.lab.demo.data import DemoData
from lwam_mm.lab.demo.light_net import crop_side

_WARM_UP, _TIMED = 2, 5


def expected_time(config: Config, data: DemoData) -> str:
    """Say how long the demo will take on the user's own frames, from a few batches of them."""
    iteration, frame = seconds_per_batch(config)
    batch, iterations = config.train_dataloader.batch_size, config.train_cfg.max_iters
    # Validation, the export's gate, the comparison, its timing, the predictions.
    frames = data.images["val"] + 3 * min(100, data.images["val"])
    frames += 5 * data.images[data.held_out] + 100
    minutes = (iterations * iteration + frames * frame) / 60
    side = crop_side(data.size)
    return (
        f"{iterations} batches of {batch} crops of {side}x{side} take {iteration:.2f} s each, a "
        f"whole frame {frame:.2f} s: about {minutes:.0f} minutes in all (make demo ITERATIONS=N "
        "for another number)"
    )


def seconds_per_batch(config: Config) -> tuple[float, float]:
    """Time a few training iterations and a few validation images of a config.

    Returns:
        Seconds of an iteration and of a validation image.
    """
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model).to(get_device())
    optimizer = build_optim_wrapper(model, copy.deepcopy(config.optim_wrapper))
    model.train()
    iteration = _time(config.train_dataloader, lambda batch: model.train_step(batch, optimizer))
    model.eval()
    return iteration, _time(config.val_dataloader, model.val_step)


def _time(loader: Config, step: Callable[[dict], object]) -> float:
    # Loaded here and counted: on a CPU, workers would take this time from the training.
    settings = dict(copy.deepcopy(loader), num_workers=0, persistent_workers=False)
    batches = Runner.build_dataloader(settings, seed=0)
    taken, start = [], time.perf_counter()
    for batch in islice(batches, _WARM_UP + _TIMED):
        step(batch)
        taken.append(time.perf_counter() - start)
        start = time.perf_counter()
    measured = sorted(taken[_WARM_UP:] or taken)
    return measured[len(measured) // 2]
