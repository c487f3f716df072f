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

from lwam_mm.deploy.compared_models import (
    LabelledImage,
    Stage,
    ValidationImages,
    load_multi_branch,
    torch_stage,
)
from lwam_mm.evaluation.regions import count_regions
from lwam_mm.evaluation.scores import confusion_matrix, confusion_to_metrics
from lwam_mm.lab.demo.data import DemoData
from lwam_mm.lab.pages.pictures import Sample
from lwam_mm.lab.pages.table import ModelScores
from lwam_mm.models.input_size import STRIDE
from lwam_mm.models.reparam.fold import reparameterize
from lwam_mm.runtime import Predictor, read_image

_SHOWN = 6
_SHARE = 0.1


@dataclass(frozen=True)
class TrainedModel:
    """A trained torch model of the demo; its config's test split is the held-out one."""

    name: str
    config: Config
    checkpoint: str | Path
    folded: bool = False
    shown: bool = False

    def build(self) -> nn.Module:
        """Build the model as it is compared, in eval mode."""
        model, _ = load_multi_branch(self.config, self.checkpoint)
        return reparameterize(model, inplace=True) if self.folded else model


@dataclass(frozen=True)
class ExportedModel:
    """A bundle, and the name of the folded model that it was made of."""

    name: str
    bundle: Path
    made_of: str


def compare(
    trained: Sequence[TrainedModel],
    exported: Sequence[ExportedModel],
    data: DemoData,
) -> tuple[list[ModelScores], list[Sample]]:
    """Evaluate and time trained and exported models on the held-out split.

    The layers are loaded as the last of the ``trained`` models tests them.

    Returns:
        The scores of each model, each exported one behind that which it was made of, and held-out
        layers that together show as many classes as possible.
    """
    # The gate's reader, with the held-out split in place of the validation set.
    layers = ValidationImages(Config(dict(val_dataloader=trained[-1].config.test_dataloader)))
    nets = {model.name: model.build() for model in trained}
    stages: dict[str, Callable[[LabelledImage], np.ndarray]] = {}
    parameters: dict[str, int] = {}
    runs: dict[str, Callable[[], object]] = {}
    image = read_image(layers[0].path)
    for name, net in nets.items():
        stages[name] = _labels_of(torch_stage(net))
        runs[name] = _forward(net, image.shape[:2])
        parameters[name] = sum(p.numel() for p in net.parameters())
        for model in exported:
            if model.made_of == name:
                predictor = Predictor(model.bundle, roi=data.roi)
                stages[model.name] = lambda layer, ask=predictor: ask(layer.path).labels
                runs[model.name] = lambda ask=predictor: ask(image)
                parameters[model.name] = parameters[name]
    classes = len(data.classes)
    confusions = {name: np.zeros((classes,) * 2, np.int64) for name in stages}
    regions = {name: np.zeros((2, 2), np.int64) for name in stages}
    least = least_area(data.size)
    for layer in layers:
        for name, segment in stages.items():
            labels = segment(layer)
            confusions[name] += confusion_matrix(
                layer.truth, labels, classes, prediction_name=str(layer.path)
            )
            counts = count_regions(layer.truth, labels, classes, (_SHARE,), min_area=least)
            regions[name] += counts[1:classes].sum(axis=0)
    milliseconds = measure_in_turn(runs)
    scores = {name: confusion_to_metrics(confusion) for name, confusion in confusions.items()}
    shown = [*(model.name for model in trained if model.shown), *(m.name for m in exported)]
    chosen = choose_layers([layer.truth for layer in layers])
    return [
        ModelScores(
            name,
            found.means["mIoU"],
            list(found.iou),
            parameters[name],
            milliseconds[name],
            *_found_and_false(regions[name], len(layers)),
        )
        for name, found in scores.items()
    ], [
        Sample(
            layer.path.name,
            read_image(layer.path),
            layer.truth,
            {name: stages[name](layer) for name in shown},
        )
        for layer in map(layers.__getitem__, chosen)
    ]


def least_area(size: tuple[int, int]) -> int:
    """Return the least area of a region that counts: 30 px of a frame of 1280 x 1024, 4 at least.

    Args:
        size: Width and height of the frame, px.
    """
    return max(4, 30 * size[0] * size[1] // (1280 * 1024))


def _found_and_false(counts: np.ndarray, images: int) -> tuple[float | None, float]:
    (true, found), (predicted, right) = counts.tolist()
    return (100 * found / true if true else None), (predicted - right) / images


def _labels_of(stage: Stage) -> Callable[[LabelledImage], np.ndarray]:
    return lambda layer: stage(layer).labels


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


def _forward(model: nn.Module, size: tuple[int, ...]) -> Callable[[], None]:
    image = torch.zeros(1, 3, *(-(-side // STRIDE) * STRIDE for side in size))

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
