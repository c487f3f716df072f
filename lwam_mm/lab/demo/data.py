"""The demo's data: drawn, or the user's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from lwam_mm.datasets.check import check_dataset
from lwam_mm.datasets.classes import CLASSES, PALETTE, default_palette
from lwam_mm.datasets.problem import DatasetError, Problem, error_for, raise_for
from lwam_mm.datasets.splits import splits_from_root
from lwam_mm.datasets.synthetic import GENERATOR_VERSION, generate_dataset
from lwam_mm.runtime.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class DemoData:
    """A data set in the released layout that was found sound.

    Attributes:
        root: its folder.
        classes: class names in index order.
        palette: one (R, G, B) of 0..255 a class.
        suffixes: what its images end with.
        held_out: the side that the demo reports on, ``test`` or, where there is none, ``val``.
        class_weight: one weight a class for the loss; the configs' own if None.
    """

    root: Path
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    suffixes: tuple[str, ...]
    held_out: str
    class_weight: tuple[float, ...] | None = None

    def point(self, config: Config) -> None:
        """Make a config train, validate and test on this data set."""
        for side, split in (("train", "train"), ("val", "val"), ("test", self.held_out)):
            config[f"{side}_dataloader"].dataset.update(
                data_root=str(self.root),
                img_suffix=list(self.suffixes),
                metainfo=dict(
                    classes=list(self.classes), palette=[list(colour) for colour in self.palette]
                ),
                data_prefix=dict(img_path=f"images/{split}", seg_map_path=f"masks/{split}"),
            )
        model = config.model
        for segmentor in (model.get("architecture"), model.get("teacher"), model):
            if segmentor is not None and "decode_head" in segmentor:
                segmentor.decode_head.num_classes = len(self.classes)
                if self.class_weight and "class_weight" in segmentor.decode_head.loss_decode:
                    segmentor.decode_head.loss_decode.class_weight = list(self.class_weight)


def draw(
    folder: Path, *, images: int, size: int, seed: int, progress: Callable[[str], None]
) -> DemoData:
    """Draw a synthetic data set, unless the very same lies there from an earlier run.

    Raises:
        DatasetError: ``folder`` holds something else.
    """
    wanted = dict(images=images, size=size, seed=seed, generator_version=GENERATOR_VERSION)
    record = folder / "dataset.json"
    if record.is_file():
        found = json.loads(record.read_text(encoding="utf-8"))
        if {key: found.get(key) for key in wanted} != wanted:
            raise error_for(
                Problem(
                    "other data",
                    folder,
                    "holds a synthetic data set of other images.",
                    "remove the folder or give another --work-dir.",
                )
            )
        progress(f"{folder} is there from an earlier run")
    else:
        generate_dataset(folder, images=images, size=size, seed=seed)
    return DemoData(folder, CLASSES, PALETTE, (".png",), "test")


def adopt(root: Path, classes: Sequence[str] | None, progress: Callable[[str], None]) -> DemoData:
    """Take a user's own data set, after checking every file of it.

    Args:
        root: folder with ``images/{train,val}`` and ``masks/{train,val}``; ``test`` is used where
            it is there.
        classes: class names in index order; the released six if None.
        progress: called with a line now and then.

    Raises:
        DatasetError: names what is wrong with it, and what to do.
    """
    names = tuple(classes or CLASSES)
    palette = PALETTE if names == CLASSES else tuple(map(tuple, default_palette(len(names))))
    suffixes = tuple(
        sorted(
            {
                path.suffix
                for path in (root / "images").glob("*/*")
                if path.suffix.lower() in IMAGE_SUFFIXES
            }
        )
    )
    specs = splits_from_root(root, suffixes or (".png",))
    progress(f"checking {root}")
    report = check_dataset(specs, names)
    raise_for(report.problems, f"The data set {root}")
    progress(report.summary())
    if len(names) < 2:
        raise DatasetError(f"{root}: one class alone cannot be learned. Remedy: name at least two.")
    weights = balancing_weights(report.splits[0].pixels[: len(names)])
    return DemoData(root, names, palette, suffixes, specs[-1].name, weights)


def balancing_weights(pixels: np.ndarray) -> tuple[float, ...]:
    """Weigh classes by the inverse square root of how often they occur.

    Args:
        pixels: labelled pixels of each class, int64 (C,).

    Returns:
        A weight a class, between 0.2 and 3; 1 for the median class and for one without pixels.
    """
    present = pixels[pixels > 0]
    median = float(np.median(present)) if present.size else 1.0
    weights = np.where(pixels > 0, np.sqrt(median / np.maximum(pixels, 1)), 1.0)
    return tuple(round(float(weight), 3) for weight in weights.clip(0.2, 3.0))
