"""Finds everything that is wrong with a data set, in one pass and without torch."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.decode import check_same_size, decode_with_maximum, load_mask, read_bytes
from lwam_mm.datasets.layout import Pair, SplitSpec, pair_files
from lwam_mm.datasets.problem import DatasetError, Problem

_CAMERA_BITS = (8, 10, 12, 14)


@dataclass
class SplitSummary:
    """What one side of a split holds."""

    name: str  # ``train``, ``val`` or ``test``
    images: int = 0  # number of image and mask pairs, sound or not
    # Mask pixels of each value, in the pairs whose mask is sound.
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    # Number of readable images of each (width, height).
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)


@dataclass
class DatasetReport:
    """Everything that was found."""

    class_names: tuple[str, ...]  # the classes in index order
    splits: list[SplitSummary] = field(default_factory=list)  # one summary per side
    # What has to be corrected; empty if the data set is sound.
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what is worth knowing but may be intended

    def summary(self) -> str:
        """Tabulate the images of each split and each class's share of the pixels in percent."""
        rows = [["", *(s.name for s in self.splits)], ["images", *(s.images for s in self.splits)]]
        rows.append(["pixels in %"])
        names = dict(enumerate(self.class_names)) | {IGNORE_INDEX: f"ignore ({IGNORE_INDEX})"}
        for index, name in names.items():
            shares = (100 * s.pixels[index] / max(s.pixels.sum(), 1) for s in self.splits)
            rows.append([name, *(f"{share:.4f}" for share in shares)])
        width = max(len(row[0]) for row in rows)
        return "\n".join(
            f"{name:{width}}" + "".join(f"{v:>12}" for v in row) for name, *row in rows
        )


@dataclass
class _PairFindings:
    problems: list[Problem] = field(default_factory=list)
    digest: bytes | None = None
    size: tuple[int, int] | None = None
    maximum: int | None = None
    pixels: np.ndarray | None = None


def check_dataset(
    specs: Sequence[SplitSpec],
    class_names: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> DatasetReport:
    """Check every file of every split; decoding needs no torch.

    What training would refuse is found by the functions that training itself loads with. Beyond
    that, it finds a picture on two sides of the split (by its pixels, whatever its name or format)
    and masks that hold no class but only 0 and 255. It notes pictures that occur twice on one
    side, classes without pixels, and 16-bit values that use a part of their range.

    After each pair, ``progress`` is called with the numbers of pairs done and of all pairs.

    Example:
        >>> import tempfile
        >>> from lwam_mm.datasets.classes import CLASSES
        >>> from lwam_mm.datasets.splits import splits_from_root
        >>> from lwam_mm.datasets.synthetic import generate_dataset
        >>> root = Path(tempfile.mkdtemp()) / "layers"
        >>> _ = generate_dataset(root, images=20, size=64, seed=0)
        >>> check_dataset(splits_from_root(root), CLASSES).problems
        []
    """
    report = DatasetReport(tuple(class_names))
    jobs: list[tuple[SplitSummary, SplitSpec, Pair]] = []
    for spec in specs:
        pairs, problems = pair_files(spec)
        report.problems += problems
        split = SplitSummary(spec.name, len(pairs))
        report.splits.append(split)
        jobs += [(split, spec, pair) for pair in pairs]

    first_seen: dict[bytes, tuple[SplitSummary, Path]] = {}
    twins: list[str] = []
    maximum = 0
    # Decoding and hashing release the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = pool.map(lambda job: _check_pair(*job[1:], len(class_names)), jobs)
        for done, ((split, spec, pair), findings) in enumerate(zip(jobs, found, strict=True), 1):
            report.problems += findings.problems
            if findings.size is not None:
                split.sizes[findings.size] += 1
            if findings.pixels is not None:
                split.pixels += findings.pixels
            if findings.digest is not None:
                other, path = first_seen.setdefault(findings.digest, (split, pair.image))
                if other is not split:
                    report.problems.append(
                        Problem(
                            "same image",
                            pair.image,
                            f"(split {split.name!r}) is the same picture as {path} "
                            f"(split {other.name!r}).",
                            "keep it on one side, with all other layers of its build.",
                        )
                    )
                elif path != pair.image:
                    twins.append(f"{pair.image} and {path}")
            if findings.maximum is not None and spec.white_level is None:
                maximum = max(maximum, findings.maximum)
            if progress is not None:
                progress(done, len(jobs))
    if twins:
        report.notes.append(f"{len(twins)} pictures occur twice on one side, such as {twins[0]}.")
    bits = next((bits for bits in _CAMERA_BITS if 0 < maximum < 2**bits), None)
    if bits is not None:
        report.notes.append(
            f"the values of 16-bit images never exceed {maximum}: a {bits}-bit camera? Then set "
            f"white_level={2**bits - 1} in the data sets of the config."
        )
    _check_classes(report, specs)
    return report


def _check_pair(spec: SplitSpec, pair: Pair, num_classes: int) -> _PairFindings:
    findings = _PairFindings()
    image_size = None
    try:
        data = read_bytes(pair.image)
        image, findings.maximum = decode_with_maximum(data, pair.image, spec.white_level)
        image_size = image.shape[:2]
        findings.size = (image_size[1], image_size[0])
        # The size is part of the picture: the same bytes may make another shape.
        content = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
        content.update(image)
        findings.digest = content.digest()
    except DatasetError as error:
        findings.problems += error.problems
    if pair.mask is None:
        return findings
    try:
        mask = load_mask(pair.mask, num_classes)
        findings.pixels = np.bincount(mask.ravel(), minlength=256)
        if image_size is not None:
            check_same_size(image_size, mask.shape, pair.image, pair.mask)
    except DatasetError as error:
        findings.problems += error.problems
    return findings


def _check_classes(report: DatasetReport, specs: Sequence[SplitSpec]) -> None:
    """Find classes without pixels, and masks whose 255 was intended as a class."""
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
