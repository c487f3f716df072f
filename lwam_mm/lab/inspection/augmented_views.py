"""Images of a training set that show every class, and what the pipeline makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from lwam_mm.utils.errors import UserError


def choose_telling(pixels: np.ndarray, count: int, seed: int = 0) -> list[int]:
    """Choose images so that every class is shown about as often, rare ones first.

    Args:
        pixels: pixels of each class in each image, integers of shape (images, C); class 0, the
            background, is not looked for.
        count: how many images to choose; all of them if there are no more.
        seed: of the draw among images of the same class, whose larger half by its pixels is
            drawn from.

    Returns:
        Indices of images, each once.
    """
    random = np.random.default_rng(seed)
    contains = pixels > 0
    rarity = contains.sum(axis=0)
    shown = np.zeros(pixels.shape[1], int)
    left = np.ones(len(pixels), bool)
    chosen: list[int] = []
    while len(chosen) < min(count, len(pixels)):
        wanted = [c for c in range(1, pixels.shape[1]) if np.any(contains[left, c])]
        if wanted:
            rarest = min(wanted, key=lambda c: (shown[c], rarity[c]))
            candidates = np.flatnonzero(left & contains[:, rarest])
            by_size = candidates[np.argsort(-pixels[candidates, rarest], kind="stable")]
            candidates = by_size[: (len(by_size) + 1) // 2]
        else:
            candidates = np.flatnonzero(left)
        index = int(random.choice(candidates))
        chosen.append(index)
        left[index] = False
        shown += contains[index]
    return chosen


def views_of(
    dataset: Sequence[dict[str, Any]], index: int, count: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Send one image through a training set's pipeline several times.

    Args:
        dataset: as mmseg builds it from a config.
        index: which image.
        count: how many views.

    Returns:
        Image, uint8 (H, W, 3) BGR, and mask, class indices uint8 (H, W), of each view.

    Raises:
        UserError: the pipeline gives something else than an image and a mask of one size.
    """
    views = []
    for _ in range(count):
        item = dataset[index]
        image, sample = item.get("inputs"), item.get("data_samples")
        if not isinstance(image, Tensor) or "gt_sem_seg" not in (sample or ()):
            raise UserError(
                "the pipeline of train_dataloader gives no image with a mask; it has to load both "
                "and to end in PackSegInputs"
            )
        mask = sample.gt_sem_seg.data[0].numpy().astype(np.uint8)
        pixels = image.permute(1, 2, 0).numpy()
        if mask.shape != pixels.shape[:2]:
            raise UserError(
                f"{sample.img_path}: the pipeline of train_dataloader gives an image of "
                f"{pixels.shape[:2]} with a mask of {mask.shape} (height, width); a transform "
                "changes only one of them"
            )
        views.append((np.clip(pixels, 0, 255).astype(np.uint8), mask))
    return views
