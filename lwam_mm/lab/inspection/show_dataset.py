"""A contact sheet of a config's augmentation: what tools/show_dataset.py does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.patches import Patch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmseg.registry import DATASETS
from torch import Tensor

from lwam_mm.datasets.decode import load_image, load_mask
from lwam_mm.datasets.samplers.seeded_sampler import Draw
from lwam_mm.datasets.transforms.staged_transforms import stage_starts
from lwam_mm.lab.pages.pictures import draw_mask
from lwam_mm.lab.pages.sheet import write_sheet
from lwam_mm.utils.errors import UserError


def show_dataset(
    config: Config, out: Path, *, images: int = 6, views: int = 5, seed: int = 0
) -> int:
    """Draw training images with their masks, and views of each after the config's pipeline.

    Args:
        config: The config whose ``train_dataloader`` is shown.
        out: The PNG file to write.
        images: How many images, 1 or more, chosen so that every class is shown if possible.
        views: How many augmented views of each, 0 or more.
        seed: Seed of the choice and of the augmentation.

    Returns:
        The number of images shown.

    Raises:
        lwam_mm.datasets.problem.DatasetError: If the data cannot be used.
        lwam_mm.utils.errors.UserError: If the pipeline returns no image with a mask.
    """
    init_default_scope(config.get("default_scope", "mmseg"))
    dataset = DATASETS.build(config.train_dataloader.dataset)
    classes, palette = dataset.metainfo["classes"], dataset.metainfo["palette"]
    # Wrappers repeat images: each file is shown once.
    infos = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        infos.setdefault(info["img_path"], (index, info))
    indices, infos = zip(*infos.values(), strict=True)
    masks = (_mask(info, len(classes)) for info in infos)
    pixels = np.array([np.bincount(mask.ravel(), minlength=256)[: len(classes)] for mask in masks])

    set_random_seed(seed)
    starts = stage_starts(config.train_dataloader.dataset)
    passes = [starts[view * len(starts) // views] for view in range(views)]
    rows, captions = [], []
    for choice in choose_images(pixels, images, seed):
        info = infos[choice]
        path, mask = Path(info["img_path"]), _mask(info, len(classes))
        image = load_image(path, info.get("white_level"))
        draws = [
            Draw(indices[choice], (seed, choice, view), completed)
            for view, completed in enumerate(passes)
        ]
        pairs = [(image, mask), *augmented_views(dataset, draws)]
        rows.append([image, *(draw_mask(*pair, palette) for pair in pairs)])
        captions.append(f"{_name(path, config)}: {_contents(pixels[choice], mask.size, classes)}")
    after = [f", pass {completed + 1}" if len(starts) > 1 else "" for completed in passes]
    headings = ["as read", "mask", *(f"view {n}{pass_}" for n, pass_ in enumerate(after, start=1))]
    write_sheet(out, headings, rows, captions=captions, legend=_legend(classes, palette))
    return len(rows)


def choose_images(pixels: np.ndarray, count: int, seed: int = 0) -> list[int]:
    """Choose images so that every class is shown about equally often, rare ones first.

    Among the images of a class, one of the half with most pixels of it is drawn.

    Args:
        pixels: Pixels of each class in each image, integers of shape (images, C); class 0, the
            background, does not count.
        count: How many images to choose; all of them if there are no more.
        seed: Seed of the draw.
    """
    random = np.random.default_rng(seed)
    contains = pixels > 0
    rarity = contains.sum(axis=0)
    left, chosen = list(range(len(pixels))), []
    while left and len(chosen) < count:
        shown = contains[chosen].sum(axis=0)
        wanted = [c for c in range(1, pixels.shape[1]) if contains[left, c].any()]
        candidates = left
        if wanted:
            rarest = min(wanted, key=lambda c: (shown[c], rarity[c]))
            candidates = [index for index in left if contains[index, rarest]]
            candidates.sort(key=lambda index: -pixels[index, rarest])
            candidates = candidates[: (len(candidates) + 1) // 2]
        chosen.append(int(random.choice(candidates)))
        left.remove(chosen[-1])
    return chosen


def augmented_views(
    dataset: Sequence[dict[str, Any]], draws: Sequence[int]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pass images through a training set's pipeline.

    Args:
        dataset: The training set.
        draws: An index for each view; a ``Draw`` says how far the training is.

    Returns:
        Image, uint8 (H, W, 3) BGR, and mask, class indices uint8 (H, W), of each view.

    Raises:
        UserError: If the pipeline returns anything but an image and a mask of one size.
    """
    views = []
    for draw in draws:
        item = dataset[draw]
        image, sample = item.get("inputs"), item.get("data_samples")
        if not isinstance(image, Tensor) or "gt_sem_seg" not in (sample or ()):
            raise UserError(
                "the pipeline of train_dataloader returns no image with a mask; it must load both "
                "and end in PackSegInputs"
            )
        mask = sample.gt_sem_seg.data[0].numpy().astype(np.uint8)
        pixels = image.permute(1, 2, 0).numpy()
        if mask.shape != pixels.shape[:2]:
            raise UserError(
                f"{sample.img_path}: the pipeline of train_dataloader returns an image of "
                f"{pixels.shape[:2]} with a mask of {mask.shape} (height, width); a transform "
                "changes only one of them"
            )
        views.append((np.clip(pixels, 0, 255).astype(np.uint8), mask))
    return views


def _mask(info: dict, num_classes: int) -> np.ndarray:
    if info.get("clean"):
        image = load_image(Path(info["img_path"]), info.get("white_level"))
        return np.zeros(image.shape[:2], np.uint8)
    return load_mask(Path(info["seg_map_path"]), num_classes)


def _name(path: Path, config: Config) -> str:
    root = Path(config.train_dataloader.dataset.get("data_root") or ".")
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _contents(pixels: np.ndarray, size: int, classes: Sequence[str]) -> str:
    """List the classes of a mask, but the background, with their share of its pixels."""
    shares = [
        f"{name} {100 * count / size:.2g} %"
        for name, count in zip(classes[1:], pixels[1:], strict=True)
        if count
    ]
    return ", ".join(shares) or f"{classes[0]} only"


def _legend(classes: Sequence[str], palette: Sequence[Sequence[int]]) -> list[Patch]:
    return [
        Patch(facecolor="none", edgecolor="#282828", label=f"{classes[0]} (not coloured)"),
        *(
            Patch(facecolor=np.array(colour) / 255, edgecolor="#282828", label=name)
            for name, colour in zip(classes[1:], palette[1:], strict=True)
        ),
        Patch(facecolor="none", edgecolor="#808080", hatch="////", label="no label"),
    ]
