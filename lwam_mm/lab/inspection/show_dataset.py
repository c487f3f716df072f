"""What tools/show_dataset.py does: a contact sheet of a config's augmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmseg.registry import DATASETS

from lwam_mm.datasets.decode import decode_image, decode_mask, read_bytes
from lwam_mm.lab.inspection.augmented_views import choose_telling, views_of
from lwam_mm.lab.pages.contact_sheet import Row, write_contact_sheet


def show_dataset(
    config: Config, out: Path, *, images: int = 6, views: int = 5, seed: int = 0
) -> int:
    """Draw training images with their masks, and what the config's pipeline makes of them.

    Args:
        config: its ``train_dataloader`` is shown.
        out: PNG to write.
        images: how many images, 1 or more, chosen so that every class is shown where it can be.
        views: how many augmented views of each, 0 or more.
        seed: of the choice and of the augmentation.

    Returns:
        The number of images shown.

    Raises:
        lwam_mm.datasets.problem.DatasetError: the data cannot be used.
        lwam_mm.utils.errors.UserError: the pipeline gives no image with a mask.
    """
    init_default_scope(config.get("default_scope", "mmseg"))
    dataset = DATASETS.build(config.train_dataloader.dataset)
    classes = dataset.metainfo["classes"]
    # Wrappers repeat images: each file is shown once.
    infos = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        infos.setdefault(info["img_path"], (index, info))
    indices, infos = zip(*infos.values(), strict=True)
    masks = (_mask(info, len(classes)) for info in infos)
    pixels = np.array([np.bincount(mask.ravel(), minlength=256)[: len(classes)] for mask in masks])

    set_random_seed(seed)
    rows = []
    for choice in choose_telling(pixels, images, seed):
        info = infos[choice]
        path = Path(info["img_path"])
        rows.append(
            Row(
                _name(path, config),
                decode_image(read_bytes(path), path, info.get("white_level")),
                _mask(info, len(classes)),
                views_of(dataset, indices[choice], views),
            )
        )
    write_contact_sheet(out, rows, classes, dataset.metainfo["palette"])
    return len(rows)


def _mask(info: dict, num_classes: int) -> np.ndarray:
    path = Path(info["seg_map_path"])
    return decode_mask(read_bytes(path), path, num_classes)


def _name(path: Path, config: Config) -> str:
    root = Path(config.train_dataloader.dataset.get("data_root") or ".")
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
