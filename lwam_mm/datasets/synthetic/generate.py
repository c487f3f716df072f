"""Write a synthetic data set in the released layout."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lwam_mm.datasets.classes import CLASSES, IGNORE_INDEX
from lwam_mm.datasets.splits import SPLITS
from lwam_mm.datasets.synthetic.build import draw_layer, make_build
from lwam_mm.datasets.synthetic.chamber_view import ChamberView
from lwam_mm.datasets.synthetic.noise import generator
from lwam_mm.datasets.synthetic.splits import LAYERS_PER_BUILD, plan_builds
from lwam_mm.utils.atomic_files import write_json
from lwam_mm.utils.png_files import write_png

GENERATOR_VERSION = 1
"""Incremented whenever equal arguments no longer give equal bytes."""

SMALLEST_SIZE, LARGEST_SIZE = 32, 4096
FEWEST_IMAGES = 3
_VARIED_LAYERS = 2

Progress = Callable[[int, int, str], None]


def generate_dataset(
    out: Path,
    images: int,
    size: int,
    seed: int,
    progress: Progress | None = None,
    varied: bool = False,
) -> dict:
    """Draw a powder-bed data set with all five defects and write it.

    The result is ``OUT/{images,masks}/{train,val,test}/buildBB_layerLLLL.png`` (8-bit grey images,
    8-bit class-index masks) and ``OUT/dataset.json``. It is written beside OUT and renamed when it
    is complete. Equal arguments give equal bytes.

    Args:
        out: Folder to write, absent or empty.
        images: Number of images, 3 or more; with 10 or more (of 64 px or more) every split has
            every class.
        size: Height and width of the images, px, 32 to 4096.
        seed: 0 or more.
        progress: Called as ``progress(done, images, file_name)`` after each image.
        varied: Draw layers as a camera in the process chamber sees them, askew, among walls,
            reflections and stains, two of a build; see
            :mod:`lwam_mm.datasets.synthetic.chamber_view`. Masks then also have 255, ignored.

    Returns:
        The content of dataset.json: generator_version, seed, size, images, varied, classes, splits
        (images, builds and images per class of each), builds (split, layers, number of parts and
        recoating direction of each), and pixel_share (share of pixels of each class, in all and
        per split).

    Raises:
        ValueError: A number is out of range.
        FileExistsError: ``out`` is a file or a folder that is not empty.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     summary = generate_dataset(Path(folder) / "beds", images=6, size=32, seed=0)
        >>> [summary["splits"][split]["images"] for split in ("train", "val", "test")]
        [4, 1, 1]
    """
    out = Path(out).resolve()
    _check_arguments(out, images, size, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.unfinished-{os.getpid()}")
    try:
        summary = _write(unfinished, images, size, seed, progress, varied)
        if out.is_dir():
            out.rmdir()
        unfinished.replace(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return summary


def _check_arguments(out: Path, images: int, size: int, seed: int) -> None:
    if images < FEWEST_IMAGES:
        raise ValueError(f"images is {images}: use {FEWEST_IMAGES} or more, a build for each split")
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise ValueError(f"size is {size}: use {SMALLEST_SIZE} to {LARGEST_SIZE} px")
    if seed < 0:
        raise ValueError(f"seed is {seed}: use 0 or more")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: use a folder that is absent or empty")
    if out.is_dir() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: use another folder, or empty this one first")


def _write(
    root: Path, images: int, size: int, seed: int, progress: Progress | None, varied: bool
) -> dict:
    """Draw every build into ``root`` and return the summary."""
    pixels = {split: np.zeros(len(CLASSES), np.int64) for split in SPLITS}
    showing = {split: np.zeros(len(CLASSES), np.int64) for split in SPLITS}
    builds: dict[str, dict] = {}
    done = 0
    for plan in plan_builds(images, _VARIED_LAYERS if varied else LAYERS_PER_BUILD):
        build = make_build(seed, plan.index, size, plan.layers)
        view = ChamberView.of(build) if varied else None
        build_name = f"build{plan.index:02d}"
        # The layers are consecutive, beginning at a random one of the print job.
        first = int(generator(seed, plan.index, 99).integers(20, 900))
        for layer in range(plan.layers):
            name = f"{build_name}_layer{first + layer:04d}.png"
            image, mask = draw_layer(build, layer) if view is None else view.draw_layer(layer)
            write_png(root / "images" / plan.split / name, image)
            write_png(root / "masks" / plan.split / name, mask)
            counts = np.bincount(mask[mask != IGNORE_INDEX], minlength=len(CLASSES))
            pixels[plan.split] += counts
            showing[plan.split] += counts > 0
            done += 1
            if progress is not None:
                progress(done, images, name)
        builds[build_name] = {
            "split": plan.split,
            "layers": plan.layers,
            "parts": len(build.scene.parts),
            "recoating": "right to left" if build.printer.mirrored else "left to right",
        }
    summary = {
        "generator_version": GENERATOR_VERSION,
        "seed": seed,
        "size": size,
        "images": images,
        "varied": varied,
        "classes": list(CLASSES),
        "splits": {
            split: {
                "images": sum(b["layers"] for b in builds.values() if b["split"] == split),
                "builds": [name for name, b in builds.items() if b["split"] == split],
                "images_per_class": dict(zip(CLASSES, showing[split].tolist(), strict=True)),
            }
            for split in SPLITS
        },
        "builds": builds,
        "pixel_share": {
            "all": _shares(sum(pixels.values())),
            **{split: _shares(pixels[split]) for split in SPLITS},
        },
    }
    write_json(root / "dataset.json", summary)
    return summary


def _shares(pixels: np.ndarray) -> dict[str, float]:
    shares = (pixels / pixels.sum()).tolist()
    return {name: round(share, 6) for name, share in zip(CLASSES, shares, strict=True)}
