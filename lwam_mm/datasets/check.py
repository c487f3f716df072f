"""Finds everything that is wrong with a data set, in one pass and without torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.decode import check_same_size, decode_image, decode_mask, read_bytes
from lwam_mm.datasets.layout import Pair, SplitSpec, pair_files
from lwam_mm.datasets.problem import DatasetError, Problem


@dataclass
class SplitSummary:
    """What one side of a split holds.

    Attributes:
        name: ``train``, ``val`` or ``test``.
        images: How many image and mask pairs there are, sound or not.
        pixels: int64 ``(256,)``: mask pixels of each value, in the pairs whose mask is sound.
    """

    name: str
    images: int = 0
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))


@dataclass
class Report:
    """Everything that was found.

    Attributes:
        class_names: The classes in index order.
        splits: One summary a side.
        problems: What has to be mended; empty if the data set is sound.
        notes: What is worth knowing but may be meant.
    """

    class_names: tuple[str, ...]
    splits: list[SplitSummary] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Tabulate the images of each split and each class's share of the pixels in percent."""
        names = [*self.class_names, f"ignore ({IGNORE_INDEX})"]
        indices = [*range(len(self.class_names)), IGNORE_INDEX]
        width = max(len(name) for name in [*names, "pixels in %"])
        header = [f"{split.name:>12}" for split in self.splits]
        rows = [f"{'':{width}}" + "".join(header)]
        rows.append(f"{'images':{width}}" + "".join(f"{s.images:>12}" for s in self.splits))
        rows.append("pixels in %")
        for name, index in zip(names, indices, strict=True):
            shares = [100 * s.pixels[index] / max(s.pixels.sum(), 1) for s in self.splits]
            rows.append(f"{name:{width}}" + "".join(f"{share:>12.4f}" for share in shares))
        return "\n".join(rows)


@dataclass
class _PairResult:
    problems: list[Problem]
    digest: bytes | None
    pixels: np.ndarray | None


def check_dataset(
    specs: Sequence[SplitSpec],
    class_names: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check every file of every split.

    What training would refuse is found by the functions that training itself loads with; beyond
    that, a picture on two sides of the split (by its pixels, whatever its name or format), and
    masks that hold no class but only 0 and 255.

    Args:
        specs: The sides of the split.
        class_names: The classes in index order.
        progress: Called with the pairs done and the pairs in all, after each pair.

    Returns:
        The report; ``report.problems`` is empty if the data set is sound.
    """
    report = Report(tuple(class_names))
    jobs: list[tuple[SplitSummary, Pair]] = []
    for spec in specs:
        pairs, problems = pair_files(spec)
        report.problems += problems
        split = SplitSummary(spec.name, len(pairs))
        report.splits.append(split)
        jobs += [(split, pair) for pair in pairs]

    first_seen: dict[bytes, tuple[SplitSummary, Path]] = {}
    # Decoding and hashing release the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = pool.map(lambda job: _check_pair(job[1], len(class_names)), jobs)
        for done, ((split, pair), result) in enumerate(zip(jobs, results, strict=True), start=1):
            report.problems += result.problems
            if result.pixels is not None:
                split.pixels += result.pixels
            if result.digest is not None:
                other, path = first_seen.setdefault(result.digest, (split, pair.image))
                if other is not split:
                    report.problems.append(_same_image(pair.image, split, path, other))
            if progress is not None:
                progress(done, len(jobs))
    _look_at_classes(report, specs)
    return report


def _check_pair(pair: Pair, num_classes: int) -> _PairResult:
    result = _PairResult([], None, None)
    image_size = mask = None
    try:
        image = decode_image(read_bytes(pair.image), pair.image)
        image_size = image.shape[:2]
        # The size is part of the picture: the same bytes may make another shape.
        content = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
        content.update(image)
        result.digest = content.digest()
    except DatasetError as error:
        result.problems += error.problems
    if pair.mask is None:
        return result
    try:
        mask = decode_mask(read_bytes(pair.mask), pair.mask, num_classes)
        result.pixels = np.bincount(mask.ravel(), minlength=256)
        if image_size is not None:
            check_same_size(image_size, mask.shape, pair.image, pair.mask)
    except DatasetError as error:
        result.problems += error.problems
    return result


def _same_image(image: Path, split: SplitSummary, first: Path, other: SplitSummary) -> Problem:
    found = f"(split {split.name!r}) is the same picture as {first} (split {other.name!r})."
    remedy = "keep it on one side, with all other layers of its build."
    return Problem("same image", image, found, remedy)


def _look_at_classes(report: Report, specs: Sequence[SplitSpec]) -> None:
    """Find classes without pixels, and masks whose 255 was meant as a class."""
    known = range(len(report.class_names))
    for split, spec in zip(report.splits, specs, strict=True):
        if split.pixels[IGNORE_INDEX] and not split.pixels[1 : len(known)].any():
            found = f"holds only background and {IGNORE_INDEX}, so that nothing is learned."
            remedy = f"draw defects with their class index; {IGNORE_INDEX} means ignore."
            folder = spec.mask_dir or spec.image_dir
            report.problems.append(Problem("mask value", folder, found, remedy))
        elif split.pixels.any():
            absent = [report.class_names[index] for index in known if not split.pixels[index]]
            if absent:
                names = ", ".join(absent)
                report.notes.append(f"split {split.name!r} has no pixel of class: {names}.")
