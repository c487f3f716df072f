"""The demo's data: drawn, or the user's own."""

from __future__ import annotations

import json
from collections import Counter
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
from lwam_mm.runtime.region_of_interest import RegionOfInterest


@dataclass(frozen=True)
class DemoData:
    """A data set in the released layout that has passed the check."""

    root: Path
    classes: tuple[str, ...]  # names in index order
    palette: tuple[tuple[int, int, int], ...]  # one (R, G, B) of 0..255 a class
    suffixes: tuple[str, ...]  # of its images
    size: tuple[int, int]  # the most frequent width and height, px
    images: dict[str, int]  # number by split
    held_out: str  # the split that the demo reports on: test, or val if there is no test
    class_weight: tuple[float, ...] | None = None  # for the loss; the configs' own if None
    roi: str | None = None  # file of the region of interest; the whole frame if None

    def point(self, config: Config) -> None:
        """Set a config to train, validate and test on this data set."""
        for loader, split in (("train", "train"), ("val", "val"), ("test", self.held_out)):
            dataset = config[f"{loader}_dataloader"].dataset
            if self.roi is not None and loader != "train":  # what lies outside is background too
                dataset.roi = self.roi
            dataset.update(
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
    """Draw a synthetic data set, unless an earlier run left the same one.

    Raises:
        DatasetError: If ``folder`` holds another data set.
    """
    wanted = dict(images=images, size=size, seed=seed, generator_version=GENERATOR_VERSION)
    record = folder / "dataset.json"
    if record.is_file():
        found = json.loads(record.read_text(encoding="utf-8"))
        if {key: found.get(key) for key in wanted} != wanted:
            what = "holds a synthetic data set of other images."
            remedy = "remove the folder or choose another --work-dir."
            raise error_for(Problem("other data", folder, what, remedy))
        progress(f"{folder} is left from an earlier run")
    else:
        found = generate_dataset(folder, images=images, size=size, seed=seed)
    counts = {split: summary["images"] for split, summary in found["splits"].items()}
    return DemoData(folder, CLASSES, PALETTE, (".png",), (size, size), counts, "test")


def adopt(
    root: Path,
    classes: Sequence[str] | None,
    progress: Callable[[str], None],
    roi: Path | None = None,
) -> DemoData:
    """Check every file of the user's own data set in the released layout and describe it.

    Raises:
        DatasetError: If there is a problem; names it and the remedy.
        SettingError: ``roi`` cannot be read or holds no polygons.
        ImageError: ``roi`` is an image that cannot be read or is black all over.
    """
    if roi is not None:
        RegionOfInterest(roi)
    names = tuple(classes or CLASSES)
    palette = PALETTE if names == CLASSES else tuple(map(tuple, default_palette(len(names))))
    found = {path.suffix for path in (root / "images").glob("*/*")}
    suffixes = tuple(sorted(suffix for suffix in found if suffix.lower() in IMAGE_SUFFIXES))
    specs = splits_from_root(root, suffixes or (".png",))
    progress(f"checking {root}")
    report = check_dataset(specs, names)
    raise_for(report.problems, f"The data set {root}")
    progress(report.summary())
    if len(names) < 2:
        raise DatasetError(f"{root}: a single class cannot be learned. Remedy: name at least two.")
    sizes = sum((split.sizes for split in report.splits), Counter())
    ((width, height), frequent), *others = sizes.most_common()
    progress(f"{frequent} frames of {width}x{height} pixels")
    if others:
        listed = ", ".join(f"{count} of {w}x{h}" for (w, h), count in others)
        progress(f"and {listed}: scaled to about that size for training, tested as they are")
    weights = balancing_weights(report.splits[0].pixels[: len(names)])
    counts = {split.name: split.images for split in report.splits}
    held_out = specs[-1].name
    region = None if roi is None else str(roi.absolute())
    return DemoData(
        root, names, palette, suffixes, (width, height), counts, held_out, weights, region
    )


def balancing_weights(pixels: np.ndarray) -> tuple[float, ...]:
    """Weight classes by the inverse square root of their pixels, int64 (C,).

    Weights are from 0.2 to 3; 1 for the median class and for classes without pixels.
    """
    present = pixels[pixels > 0]
    median = float(np.median(present)) if present.size else 1.0
    weights = np.where(pixels > 0, np.sqrt(median / np.maximum(pixels, 1)), 1.0)
    return tuple(round(float(weight), 3) for weight in weights.clip(0.2, 3.0))
