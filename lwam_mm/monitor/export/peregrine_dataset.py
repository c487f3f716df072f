"""A build in Peregrine's layout, as training data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from lwam_mm.datasets.classes import CLASSES, IGNORE_INDEX
from lwam_mm.monitor.watch.peregrine import PeregrineBuild, PeregrineError
from lwam_mm.utils.atomic_files import write_atomically

KNOWN_NAMES = {
    "super elevation": "Super",
    "incomplete spreading": "Incomplete",
    "recoater hopping": "Hopping",
    "recoater streaking": "Streaking",
}
"""Peregrine's classes that are ours, written as `plain` does."""

_NO_DEFECT = ("powder", "printed", "part")


def plain(name: str) -> str:
    """Return a class name in lower case, with one space for all that is no letter."""
    return re.sub(r"[^a-z]+", " ", name.lower()).strip()


def mapped_names(theirs: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return our class for each of a file's classes that has one.

    Args:
        theirs: The file's class names.
        chosen: Its class -> ours; what it does not name goes by `KNOWN_NAMES`.

    Raises:
        PeregrineError: A name is none of the file's or ours, or no class has one of ours.
    """
    for name, ours in chosen.items():
        if name not in theirs:
            raise PeregrineError(f"there is no class {name!r}: name one of {list(theirs)}")
        if ours not in CLASSES:
            raise PeregrineError(f"{name}={ours}: name one of our classes {list(CLASSES)}")
    found = {name: KNOWN_NAMES[plain(name)] for name in theirs if plain(name) in KNOWN_NAMES}
    found |= chosen
    if not found:
        raise PeregrineError(
            f"none of the classes {list(theirs)} is known: say with --class THEIRS=OURS which are"
        )
    return found


def write_peregrine_dataset(
    path: Path,
    out: Path,
    side: str,
    chosen: Mapping[str, str],
    step: str = "recoated",
    every: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> int:
    """Write the layers of a build as ``images/SIDE`` and ``masks/SIDE``.

    What the file calls by a name that is neither mapped nor powder or part becomes 255, which
    training ignores.

    Args:
        path: The HDF5 file.
        out: The data set's folder; further builds can go into the same.
        side: One of train, val and test. Keep a build on one side: its layers look alike.
        chosen: See `mapped_names`.
        step: One of recoated and exposed.
        every: Take each n-th layer.
        say: Gets a line about the classes.

    Returns:
        Number of layers that were written.

    Raises:
        PeregrineError: The file cannot be used, or one of its layers is in the folder already.
    """
    with closing(PeregrineBuild(path)) as build:
        names = mapped_names(build.class_names, chosen)
        ignored = [
            name
            for name in build.class_names
            if name not in names and plain(name) not in _NO_DEFECT
        ]
        told = [f"{name} = {ours}" for name, ours in names.items()]
        say(f"classes: {', '.join(told + [f'{name} is ignored' for name in ignored])}")
        layers = range(0, build.layers[step], every)
        for layer in layers:
            mask = build.labels(layer, names, CLASSES)
            other = build.labels(layer, dict.fromkeys(ignored, CLASSES[1]), CLASSES)
            mask[(other > 0) & (mask == 0)] = IGNORE_INDEX
            for folder, picture in (("images", _grey(build.frame(layer, step))), ("masks", mask)):
                file = out / folder / side / f"{build.name}_{step}_{layer:05d}.png"
                if file.exists():
                    raise PeregrineError(f"{file} exists: remove it, or give another folder")
                write_atomically(file, cv2.imencode(".png", picture)[1].tobytes())
    return len(layers)


def _grey(frame: np.ndarray) -> np.ndarray:
    """Return one channel of a frame whose three are the same, else all."""
    is_grey = (frame == frame[:, :, :1]).all()
    return np.ascontiguousarray(frame[:, :, 0]) if is_grey else frame
