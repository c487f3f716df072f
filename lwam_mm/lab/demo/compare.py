"""Teacher, students and the exported model side by side on the held-out layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from torch import nn

from lwam_mm.datasets.decode import decode_mask, read_bytes
from lwam_mm.datasets.layout import Pair, pair_files
from lwam_mm.datasets.splits import splits_from_root
from lwam_mm.engine.launch import evaluate
from lwam_mm.evaluation.scores import confusion_matrix, confusion_to_metrics
from lwam_mm.lab.demo.data import DemoData
from lwam_mm.lab.demo.timing import measure_in_turn
from lwam_mm.lab.pages.pictures import Sample
from lwam_mm.lab.pages.table import ModelScores
from lwam_mm.models.checkpoint import load_weights
from lwam_mm.models.reparam.fold import reparameterize
from lwam_mm.runtime import Predictor, read_image

_SHOWN = 6


@dataclass(frozen=True)
class Contender:
    """A trained torch model of the demo.

    Attributes:
        name: what the report calls it.
        config: its config; the test side is the held-out one.
        checkpoint: its weights.
        folded: whether it is folded before it is tested and timed.
    """

    name: str
    config: Config
    checkpoint: Path
    folded: bool = False

    def build(self) -> nn.Module:
        """Build the model as it is compared, in eval mode."""
        model = MODELS.build(self.config.model).eval()
        load_weights(model, self.checkpoint)
        return reparameterize(model, inplace=True) if self.folded else model


@dataclass
class Comparison:
    """What the report shows.

    Attributes:
        rows: one a model, the exported one last.
        samples: held-out layers that together show every class that there is.
    """

    rows: list[ModelScores]
    samples: list[Sample]


def compare(
    contenders: Sequence[Contender],
    exported: str,
    bundle: Path,
    data: DemoData,
    size: int,
    work_dir: Path,
) -> Comparison:
    """Evaluate, time and picture the contenders and the exported model.

    Args:
        contenders: the torch models; the last one is what was exported.
        exported: what the report calls the exported model.
        bundle: the exported model.
        data: the data set; its held-out side counts.
        size: height and width in pixels that the torch models are timed at.
        work_dir: folder for the predicted masks.
    """
    masks = {
        c.name: work_dir / "masks" / c.name.replace(",", "").replace(" ", "_") for c in contenders
    }
    metrics = {}
    for contender in contenders:
        contender.config.test_evaluator.output_dir = str(masks[contender.name])
        metrics[contender.name] = evaluate(
            contender.config, contender.checkpoint, fold=contender.folded
        )

    pairs = _held_out_pairs(data)
    predictor = Predictor(bundle)
    labels, miou, class_iou = _evaluate_bundle(predictor, pairs, len(data.classes))

    models = {contender.name: contender.build() for contender in contenders}
    image = read_image(pairs[0].image)
    milliseconds = measure_in_turn(
        {name: _forward(model, size) for name, model in models.items()}
        | {exported: lambda: predictor(image)}
    )
    parameters = {name: sum(p.numel() for p in m.parameters()) for name, m in models.items()}
    rows = [
        ModelScores(
            name,
            found["mIoU"],
            class_iou=[found.get(f"IoU.{class_name}") for class_name in data.classes],
            parameters=parameters[name],
            milliseconds=milliseconds[name],
        )
        for name, found in metrics.items()
    ]
    rows.append(
        ModelScores(
            exported,
            miou,
            class_iou=class_iou,
            parameters=parameters[contenders[-1].name],
            milliseconds=milliseconds[exported],
        )
    )
    samples = [
        Sample(
            pair.image.name,
            read_image(pair.image),
            _truth(pair, len(data.classes)),
            {name: _predicted(masks[name], pair) for name in list(masks)[:2]}
            | {exported: labels[pair.stem]},
        )
        for pair in _most_telling(pairs, len(data.classes))
    ]
    return Comparison(rows, samples)


def _held_out_pairs(data: DemoData) -> list[Pair]:
    for spec in splits_from_root(data.root, data.suffixes):
        if spec.name == data.held_out:
            return pair_files(spec)[0]
    raise FileNotFoundError(f"{data.root}: has no side named {data.held_out}")


def _evaluate_bundle(
    predictor: Predictor, pairs: Sequence[Pair], num_classes: int
) -> tuple[dict[str, np.ndarray], float, list[float]]:
    """Predict every layer; return labels by stem, mIoU and each class's IoU in percent."""
    labels = {pair.stem: predictor(pair.image).labels for pair in pairs}
    confusion = sum(
        confusion_matrix(
            _truth(pair, num_classes),
            labels[pair.stem],
            num_classes,
            label_name=str(pair.mask),
            prediction_name=str(pair.image),
        )
        for pair in pairs
    )
    scores = confusion_to_metrics(confusion)
    return labels, scores.means["mIoU"], list(scores.iou)


def _forward(model: nn.Module, size: int) -> Callable[[], None]:
    image = torch.zeros(1, 3, size, size)

    def run() -> None:
        with torch.inference_mode():
            model(image, mode="tensor")

    return run


def _truth(pair: Pair, num_classes: int) -> np.ndarray:
    return decode_mask(read_bytes(pair.mask), pair.mask, num_classes)


def _predicted(folder: Path, pair: Pair) -> np.ndarray:
    return cv2.imread(str(folder / f"{pair.image.stem}.png"), cv2.IMREAD_UNCHANGED)


def _most_telling(pairs: Sequence[Pair], num_classes: int) -> list[Pair]:
    """Pick the layers to show: each adds as many classes as it can, the richest first."""
    classes = {p.stem: set(np.unique(_truth(p, num_classes))) - {0, 255} for p in pairs}
    chosen: list[Pair] = []
    seen: set[int] = set()

    def gain(pair: Pair) -> tuple[int, int]:
        return len(classes[pair.stem] - seen), len(classes[pair.stem])

    rest = list(pairs)
    while rest and len(chosen) < _SHOWN:
        best = max(rest, key=gain)
        rest.remove(best)
        chosen.append(best)
        seen |= classes[best.stem]
    return chosen
