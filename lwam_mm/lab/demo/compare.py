"""Teacher, students and the exported model side by side on the held-out layers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from lwam_mm.deploy.compared_models import ValidationImages, load_multi_branch, torch_stage
from lwam_mm.evaluation.scores import confusion_matrix, confusion_to_metrics
from lwam_mm.lab.pages.pictures import Sample
from lwam_mm.lab.pages.table import ModelScores
from lwam_mm.models.reparam.fold import reparameterize
from lwam_mm.runtime import Predictor, read_image

_SHOWN = 6


@dataclass(frozen=True)
class TrainedModel:
    """A trained torch model of the demo; its config's test split is the held-out one."""

    name: str
    config: Config
    checkpoint: Path
    folded: bool = False
    shown: bool = False

    def build(self) -> nn.Module:
        """Build the model as it is compared, in eval mode."""
        model, _ = load_multi_branch(self.config, self.checkpoint)
        return reparameterize(model, inplace=True) if self.folded else model


def compare(
    trained: Sequence[TrainedModel], exported: str, bundle: Path, classes: Sequence[str], size: int
) -> tuple[list[ModelScores], list[Sample]]:
    """Evaluate and time the trained models and the exported one on the held-out split.

    The last of the ``trained`` models is the one that was exported, as ``bundle``; ``exported`` is
    its name in the report. The torch models are timed on an image of ``size`` x ``size`` pixels.

    Returns:
        The scores of each model, the exported one last, and held-out layers that together show as
        many classes as possible.
    """
    # The gate's reader, with the held-out split in place of the validation set.
    layers = ValidationImages(Config(dict(val_dataloader=trained[-1].config.test_dataloader)))
    predictor = Predictor(bundle)
    nets = {model.name: model.build() for model in trained}
    stages = {name: torch_stage(net) for name, net in nets.items()}
    stages[exported] = lambda layer: predictor(layer.path)
    confusions = {name: np.zeros((len(classes),) * 2, np.int64) for name in stages}
    for layer in layers:
        for name, segment in stages.items():
            confusions[name] += confusion_matrix(
                layer.truth, segment(layer).labels, len(classes), prediction_name=str(layer.path)
            )
    image = read_image(layers[0].path)
    milliseconds = measure_in_turn(
        {name: _forward(net, size) for name, net in nets.items()}
        | {exported: lambda: predictor(image)}
    )
    parameters = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    parameters[exported] = parameters[trained[-1].name]
    scores = {name: confusion_to_metrics(confusion) for name, confusion in confusions.items()}
    shown = [*(model.name for model in trained if model.shown), exported]
    chosen = choose_layers([layer.truth for layer in layers])
    return [
        ModelScores(
            name, found.means["mIoU"], list(found.iou), parameters[name], milliseconds[name]
        )
        for name, found in scores.items()
    ], [
        Sample(
            layer.path.name,
            read_image(layer.path),
            layer.truth,
            {name: stages[name](layer).labels for name in shown},
        )
        for layer in map(layers.__getitem__, chosen)
    ]


def measure_in_turn(
    runs: Mapping[str, Callable[[], object]], *, rounds: int = 20, warm_up: int = 3
) -> dict[str, float]:
    """Time functions in turn, so that a noisy machine slows all alike; return median ms by name."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(warm_up + rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: median(times[warm_up:]) for name, times in taken.items()}


def _forward(model: nn.Module, size: int) -> Callable[[], None]:
    image = torch.zeros(1, 3, size, size)

    def run() -> None:
        with torch.inference_mode():
            model(image, mode="tensor")

    return run


def choose_layers(truths: Sequence[np.ndarray]) -> list[int]:
    """Choose the layers to show: each adds as many classes as possible, the richest first."""
    classes = {at: set(np.unique(truth).tolist()) - {0, 255} for at, truth in enumerate(truths)}
    chosen: list[int] = []
    seen: set[int] = set()
    while classes and len(chosen) < _SHOWN:
        best = max(classes, key=lambda at: (len(classes[at] - seen), len(classes[at])))
        chosen.append(best)
        seen |= classes.pop(best)
    return chosen
