"""Pairs images with masks, ``ROOT/{images,masks}/{train,val,test}/NAME``, by their stem.

Sub-folders are allowed; the stem is then the relative path without suffix.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwam_mm.datasets.problem import DatasetError, Problem
from lwam_mm.datasets.text_lists import read_names
from lwam_mm.runtime.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class SplitSpec:
    """Where one side of a split lies."""

    name: str  # ``train``, ``val`` or ``test``; used in messages and reports
    image_dir: Path  # folder of the images
    mask_dir: Path | None  # folder of the masks; ``None`` for pure prediction, where there are none
    # An image ends with one of these, such as ``(".png", ".jpg")``.
    img_suffixes: tuple[str, ...] = (".png",)
    mask_suffix: str = ".png"  # a mask ends with this
    # Text file with the stems to use, one per line; ``None`` means all images.
    split_file: Path | None = None
    white_level: int | None = None  # the 16-bit value that becomes 255; ``None`` means 65535


@dataclass(frozen=True)
class Pair:
    """An image with its mask (``None`` in pure prediction) and their common stem."""

    stem: str
    image: Path
    mask: Path | None


def as_suffixes(suffixes: str | Sequence[str]) -> tuple[str, ...]:
    """Accept one suffix or several."""
    return (suffixes,) if isinstance(suffixes, str) else tuple(suffixes)


def checked_white_level(white_level: int | None) -> int | None:
    """Return a white level, after checking that it is None or in 1..65535."""
    if white_level is not None and not (type(white_level) is int and 1 <= white_level <= 65535):
        raise DatasetError(
            f"white_level={white_level!r} is not a value of 1..65535. Remedy: give the largest "
            "value that the camera can give, such as 4095 for 12 bits, or leave it out."
        )
    return white_level


def pair_files(spec: SplitSpec) -> tuple[list[Pair], list[Problem]]:
    """Pair the images of a split with their masks. Reads folders, opens no image.

    Hidden files and folders (``.DS_Store``, ``._a.png``) are ignored.

    Returns:
        The sound pairs (sorted by stem, or in the order of the split file), and every problem:
        missing or unreadable folders, links that lead nowhere, an empty split, images without
        mask and masks without image, two images of one stem, names that differ only in Unicode
        form, images whose suffix is not among those to use, and in the split file unreadable
        text, blank lines, repeated stems and stems that do not exist.
    """
    folders = [spec.image_dir] if spec.mask_dir is None else [spec.image_dir, spec.mask_dir]
    missing = [_missing_folder(folder, spec) for folder in folders if not folder.is_dir()]
    if missing:
        return [], missing
    if spec.mask_dir == spec.image_dir and spec.mask_suffix in spec.img_suffixes:
        found = f"an image would be its own mask (both end with {spec.mask_suffix!r})."
        remedy = "name two folders in data_prefix: dict(img_path=..., seg_map_path=...)."
        return [], [Problem("same folder", spec.image_dir, found, remedy)]

    image_files, unread = _walk(spec.image_dir)
    images, problems = _find_images(image_files, spec)
    masks: dict[str, Path] = {}
    if spec.mask_dir is not None:
        mask_files, unread_masks = _walk(spec.mask_dir)
        unread += [problem for problem in unread_masks if problem not in unread]
        masks = {
            _stem(path, spec.mask_dir, spec.mask_suffix): path
            for path in mask_files
            if path.name.endswith(spec.mask_suffix)
        }
    stems = sorted(images)
    if spec.split_file is not None:
        stems, listed = _read_split_file(spec.split_file, images, spec)
        # Files that the list leaves out may be of any kind.
        problems = [problem for problem in problems if problem.kind == "stem twice"] + listed
    elif not images:
        problems.append(_empty_folder(spec, image_files))
    twins, odd = _unicode_twins([*((stem, images[stem]) for stem in stems), *masks.items()])
    problems += twins
    if spec.mask_dir is not None:
        alone = [stem for stem in stems if stem not in masks and stem not in odd]
        remedy = "add the mask, or remove the image, or set seg_map_suffix "
        remedy += f"({spec.mask_suffix!r} now)."
        for stem in alone:
            found = f"there is no mask {spec.mask_dir / (stem + spec.mask_suffix)}."
            problems.append(Problem("image without mask", images[stem], found, remedy))
        orphans = sorted(masks.keys() - images.keys() - odd) if spec.split_file is None else []
        found = f"{spec.image_dir} has no image of this stem ending with {_or(spec.img_suffixes)}."
        remedy = "add the image, or remove the mask, or set img_suffix."
        problems += [Problem("mask without image", masks[s], found, remedy) for s in orphans]
        stems = [stem for stem in stems if stem in masks]
    if spec.split_file is None or problems:
        problems = unread + problems
    return [Pair(stem, images[stem], masks.get(stem)) for stem in stems], problems


def _walk(folder: Path, parents: tuple[str, ...] = ()) -> tuple[list[Path], list[Problem]]:
    """List the files below a folder, through links to folders too, with what cannot be read."""
    files, problems = [], []
    parents += (os.path.realpath(folder),)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        found = f"the folder cannot be read ({error.strerror})."
        return [], [Problem("unreadable folder", folder, found, "correct its permissions.")]
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)
        if entry.is_symlink() and os.path.realpath(path) in parents:
            found, remedy = "links to a folder that it lies in.", "remove the link."
            problems.append(Problem("link", path, found, remedy))
        elif path.is_dir() if entry.is_symlink() else entry.is_dir():
            more_files, more_problems = _walk(path, parents)
            files += more_files
            problems += more_problems
        elif path.is_file() if entry.is_symlink() else entry.is_file():
            files.append(path)
        else:
            found = "is neither a file nor a folder, but a pipe or a device."
            if entry.is_symlink():
                found = f"links to {path.readlink()}, which does not exist or cannot be reached."
            remedy = "bring back what it leads to, or remove it."
            problems.append(Problem("link", path, found, remedy))
    return files, problems


def _stem(path: Path, folder: Path, suffix: str) -> str:
    return path.relative_to(folder).as_posix()[: -len(suffix)]


def _find_images(files: Iterable[Path], spec: SplitSpec) -> tuple[dict[str, Path], list[Problem]]:
    # The longest suffix wins, so that "_cam.png" is not taken for ".png".
    suffixes = sorted(spec.img_suffixes, key=len, reverse=True)
    extensions = {Path("x" + suffix).suffix for suffix in suffixes}
    if spec.mask_dir == spec.image_dir:
        extensions.add(Path("x" + spec.mask_suffix).suffix)
    images: dict[str, Path] = {}
    problems = []
    for path in files:
        suffix = next((s for s in suffixes if path.name.endswith(s)), None)
        if suffix is None:
            if path.suffix.lower() in IMAGE_SUFFIXES and path.suffix not in extensions:
                found = f"would be left out: it does not end with {_or(spec.img_suffixes)}."
                remedy = f"add {path.suffix!r} to img_suffix, or move the file away."
                problems.append(Problem("image suffix", path, found, remedy))
            continue
        stem = _stem(path, spec.image_dir, suffix)
        if stem in images:
            found = f"has the same stem as {images[stem].name}, so both would share one mask."
            remedy = "remove or rename one of the two images."
            problems.append(Problem("stem twice", path, found, remedy))
        else:
            images[stem] = path
    return images, problems


def _unicode_twins(named: Iterable[tuple[str, Path]]) -> tuple[list[Problem], set[str]]:
    """Find names that look alike but differ in Unicode form; return their stems as well."""
    first: dict[str, tuple[str, Path]] = {}
    problems, stems = [], set()
    for stem, path in named:
        form = unicodedata.normalize("NFC", stem)
        other, other_path = first.setdefault(form, (stem, path))
        if stem != other and stem not in stems:
            found = f"differs from {other_path} only in the Unicode form of its name (NFC or NFD)."
            remedy = "rename one of them, copying the name from the other."
            problems.append(Problem("unicode name", path, found, remedy))
            stems |= {stem, other}
    return problems, stems


def _read_split_file(
    split_file: Path, images: dict[str, Path], spec: SplitSpec
) -> tuple[list[str], list[Problem]]:
    names, problems = read_names(split_file, "split file")
    forms = {unicodedata.normalize("NFC", stem) for stem in images}
    for number, stem in names.items():
        if stem in images:
            continue
        found = f"line {number} names {stem!r}, but {spec.image_dir} has no such image."
        remedy = f"write stems without suffix (images end with {_or(spec.img_suffixes)}), "
        remedy += "or add the image."
        if unicodedata.normalize("NFC", stem) in forms:
            found = f"line {number} names {stem!r}, and the image's name has another Unicode form."
            remedy = "copy the stem from the image's name."
        problems.append(Problem("split file", split_file, found, remedy))
    return [stem for stem in names.values() if stem in images], problems


def _or(suffixes: Sequence[str]) -> str:
    return " or ".join(repr(suffix) for suffix in suffixes)


def _missing_folder(folder: Path, spec: SplitSpec) -> Problem:
    remedy = "correct data_root or data_prefix; the layout is ROOT/{images,masks}/{train,val,test}."
    if folder == spec.mask_dir:
        remedy += " To predict without masks, leave seg_map_path out of data_prefix. To train on "
        remedy += "frames that show no defect, leave it out and set clean=True."
    return Problem("missing folder", folder, f"no such folder (split {spec.name!r}).", remedy)


def _empty_folder(spec: SplitSpec, files: Iterable[Path]) -> Problem:
    there = Counter(path.suffix or "no suffix" for path in files)
    counted = ", ".join(f"{count} x {suffix}" for suffix, count in there.most_common(5))
    found = f"split {spec.name!r} is empty: no file ends with {_or(spec.img_suffixes)}"
    found += f" (there: {counted})." if counted else " (the folder is empty)."
    remedy = "put the images there, or set img_suffix to what they end with."
    return Problem("empty split", spec.image_dir, found, remedy)
