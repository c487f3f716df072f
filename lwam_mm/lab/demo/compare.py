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
from mmengine.dataset import pseudo_collate
from mmseg.registry import DATASETS, MODELS
from torch import nn

from lwam_mm.datasets.decode import decode_mask, read_bytes
from lwam_mm.datasets.layout import Pair, pair_files
from lwam_mm.datasets.splits import splits_from_root
from lwam_mm.engine.launch import evaluate
from lwam_mm.evaluation.scores import confusion_matrix, confusion_to_metrics
from lwam_mm.lab.demo.data import DemoData
from lwam_mm.lab.pages.pictures import Sample
from lwam_mm.lab.pages.table import ModelScores
from lwam_mm.models.checkpoint import load_weights
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
        model = MODELS.build(self.config.model).eval()
        load_weights(model, self.checkpoint)
        return reparameterize(model, inplace=True) if self.folded else model


def compare(
    trained: Sequence[TrainedModel], exported: str, bundle: Path, data: DemoData, size: int
) -> tuple[list[ModelScores], list[Sample]]:
    """Evaluate and time the trained models and the exported one on the held-out split.

    Args:
        trained: The torch models; the last one is the one that was exported.
        exported: The exported model's name in the report.
        bundle: The exported model.
        data: The data set.
        size: Height and width in pixels of the image that the torch models are timed on.

    Returns:
        The scores of each model, the exported one last, and held-out layers that together show as
        many classes as possible.
    """
    pairs = _held_out_pairs(data)
    truths = {pair: _truth(pair, len(data.classes)) for pair in pairs}
    predictor = Predictor(bundle)
    labels = {pair: predictor(pair.image).labels for pair in pairs}
    confusion = sum(
        confusion_matrix(
            truths[pair],
            labels[pair],
            len(data.classes),
            label_name=str(pair.mask),
            prediction_name=str(pair.image),
        )
        for pair in pairs
    )
    tested = {
        model.name: evaluate(model.config, model.checkpoint, fold=model.folded) for model in trained
    }
    nets = {model.name: model.build() for model in trained}
    image = read_image(pairs[0].image)
    milliseconds = measure_in_turn(
        {name: _forward(net, size) for name, net in nets.items()}
        | {exported: lambda: predictor(image)}
    )
    parameters = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    parameters[exported] = parameters[trained[-1].name]
    scores = {
        name: (found["mIoU"], [found.get(f"IoU.{class_name}") for class_name in data.classes])
        for name, found in tested.items()
    }
    metrics = confusion_to_metrics(confusion)
    scores[exported] = metrics.means["mIoU"], list(metrics.iou)
    shown = _choose_layers(truths)
    predictions = {
        model.name: _predict(nets[model.name], model.config, shown)
        for model in trained
        if model.shown
    }
    predictions[exported] = labels
    return [
        ModelScores(name, *found, parameters[name], milliseconds[name])
        for name, found in scores.items()
    ], [
        Sample(
            pair.image.name,
            read_image(pair.image),
            truths[pair],
            {name: by_pair[pair] for name, by_pair in predictions.items()},
        )
        for pair in shown
    ]


def measure_in_turn(
    runs: Mapping[str, Callable[[], object]], *, rounds: int = 20, warm_up: int = 3
) -> dict[str, float]:
    """Time functions in turn, so that a noisy machine slows all alike.

    Returns:
        Median milliseconds of a call by name, over the rounds after the warm-up.
    """
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(warm_up + rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            taken[name].append(1000 * (time.perf_counter() - start))
    return {name: median(times[warm_up:]) for name, times in taken.items()}


def _held_out_pairs(data: DemoData) -> list[Pair]:
    for split in splits_from_root(data.root, data.suffixes):
        if split.name == data.held_out:
            return pair_files(split)[0]
    raise FileNotFoundError(f"{data.root}: has no split named {data.held_out}")


def _truth(pair: Pair, num_classes: int) -> np.ndarray:
    return decode_mask(read_bytes(pair.mask), pair.mask, num_classes)


def _forward(model: nn.Module, size: int) -> Callable[[], None]:
    image = torch.zeros(1, 3, size, size)

    def run() -> None:
        with torch.inference_mode():
            model(image, mode="tensor")

    return run


def _predict(net: nn.Module, config: Config, pairs: Sequence[Pair]) -> dict[Pair, np.ndarray]:
    """Return the labels of some layers, after the same pipeline as in a test."""
    dataset = DATASETS.build(config.test_dataloader.dataset)
    indices = {
        Path(dataset.get_data_info(at)["img_path"]).resolve(): at for at in range(len(dataset))
    }
    labels = {}
    for pair in pairs:
        batch = pseudo_collate([dataset[indices[pair.image.resolve()]]])
        with torch.inference_mode():
            (sample,) = net.test_step(batch)
        labels[pair] = sample.pred_sem_seg.data[0].numpy().astype(np.uint8)
    return labels


def _choose_layers(truths: Mapping[Pair, np.ndarray]) -> list[Pair]:
    """Choose the layers to show: each adds as many classes as possible, the richest first."""
    classes = {pair: set(np.unique(truth).tolist()) - {0, 255} for pair, truth in truths.items()}
    chosen: list[Pair] = []
    seen: set[int] = set()
    while classes and len(chosen) < _SHOWN:
        best = max(classes, key=lambda pair: (len(classes[pair] - seen), len(classes[pair])))
        chosen.append(best)
        seen |= classes.pop(best)
    return chosen
