"""Which image belongs to which mask: the folder layout, with everything that can be wrong in it.

The released layout is ``ROOT/{images,masks}/{train,val,test}/NAME``; an image and its mask have
the same stem. Sub-folders are allowed, the stem is then the relative path without suffix.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lwam_mm.datasets.problem import Problem

IMAGE_EXTENSIONS = frozenset(
    {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


@dataclass(frozen=True)
class SplitSpec:
    """Where one side of a split lies.

    Attributes:
        name: ``train``, ``val`` or ``test``; used in messages and reports.
        image_dir: Folder of the images.
        mask_dir: Folder of the masks; ``None`` for pure prediction, where there are none.
        img_suffixes: An image ends with one of these, such as ``(".png", ".jpg")``.
        mask_suffix: A mask ends with this.
        split_file: Text file with the stems to use, one a line; ``None`` means all images.
    """

    name: str
    image_dir: Path
    mask_dir: Path | None
    img_suffixes: tuple[str, ...] = (".png",)
    mask_suffix: str = ".png"
    split_file: Path | None = None


@dataclass(frozen=True)
class Pair:
    """An image with its mask (``None`` in pure prediction) and their common stem."""

    stem: str
    image: Path
    mask: Path | None


def as_suffixes(suffixes: str | Sequence[str]) -> tuple[str, ...]:
    """Accept one suffix or several."""
    return (suffixes,) if isinstance(suffixes, str) else tuple(suffixes)


def pair_files(spec: SplitSpec) -> tuple[list[Pair], list[Problem]]:
    """Pair the images of a split with their masks. Reads folders, opens no image.

    Args:
        spec: Where the split lies.

    Returns:
        The sound pairs (sorted by stem, or in the order of the split file), and every problem:
        missing folder, empty split, image without mask, mask without image, two images of one
        stem, an image whose suffix is not among those to use, and in the split file unreadable
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

    images, problems = _find_images(spec)
    masks = {} if spec.mask_dir is None else _find_masks(spec)
    if spec.split_file is None:
        stems = sorted(images)
        if not images:
            problems.append(_empty_folder(spec))
    else:
        stems, listed = _read_split_file(spec.split_file, images, spec)
        # Files that the list leaves out on purpose are none of its business.
        problems = [p for p in problems if p.kind == "stem twice"] + listed
    pairs = [Pair(stem, images[stem], masks.get(stem)) for stem in stems]
    if spec.mask_dir is not None:
        problems += [_image_without_mask(p, spec) for p in pairs if p.mask is None]
        pairs = [pair for pair in pairs if pair.mask is not None]
        if spec.split_file is None:
            orphans = sorted(set(masks) - set(images))
            problems += [_mask_without_image(masks[stem], spec) for stem in orphans]
    return pairs, problems


def _walk(folder: Path) -> list[Path]:
    """All files below a folder, sorted; hidden ones (``.DS_Store``) are no data."""
    # os.walk follows links to folders, which Path.rglob does not.
    files = [
        Path(parent) / name
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if not name.startswith(".")
    ]
    return sorted(files)


def _stem(path: Path, folder: Path, suffix: str) -> str:
    return path.relative_to(folder).as_posix()[: -len(suffix)]


def _find_images(spec: SplitSpec) -> tuple[dict[str, Path], list[Problem]]:
    # The longest suffix wins, so that "_cam.png" is not taken for ".png".
    suffixes = sorted(spec.img_suffixes, key=len, reverse=True)
    extensions = {Path("x" + suffix).suffix for suffix in suffixes}
    if spec.mask_dir == spec.image_dir:
        extensions.add(Path("x" + spec.mask_suffix).suffix)
    images: dict[str, Path] = {}
    problems = []
    for path in _walk(spec.image_dir):
        suffix = next((s for s in suffixes if path.name.endswith(s)), None)
        if suffix is None:
            if path.suffix.lower() in IMAGE_EXTENSIONS and path.suffix not in extensions:
                problems.append(_other_suffix(path, spec))
            continue
        stem = _stem(path, spec.image_dir, suffix)
        if stem in images:
            problems.append(_stem_twice(path, images[stem]))
        else:
            images[stem] = path
    return images, problems


def _find_masks(spec: SplitSpec) -> dict[str, Path]:
    assert spec.mask_dir is not None
    return {
        _stem(path, spec.mask_dir, spec.mask_suffix): path
        for path in _walk(spec.mask_dir)
        if path.name.endswith(spec.mask_suffix)
    }


def _read_split_file(
    split_file: Path, images: dict[str, Path], spec: SplitSpec
) -> tuple[list[str], list[Problem]]:
    kind = "split file"
    try:
        lines = split_file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        remedy = "correct ann_file, or leave it out to use every image."
        return [], [Problem(kind, split_file, "no such split file.", remedy)]
    except (OSError, UnicodeDecodeError) as error:
        remedy = "save it as UTF-8 text, one stem a line."
        return [], [Problem(kind, split_file, f"unreadable ({error}).", remedy)]
    if not any(line.strip() for line in lines):
        remedy = "list one stem a line, or leave ann_file out to use every image."
        return [], [Problem("empty split", split_file, "the split file is empty.", remedy)]

    stems: dict[str, int] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        stem = line.strip()
        if not stem:
            found, remedy = f"line {number} is blank.", "remove the line."
        elif stem in stems:
            found = f"line {number} repeats {stem!r} of line {stems[stem]}."
            remedy = "keep one of the two lines."
        elif stem not in images:
            found = f"line {number} names {stem!r}, but {spec.image_dir} has no such image."
            remedy = f"write stems without suffix (images end with {_or(spec.img_suffixes)}), "
            remedy += "or add the image."
        else:
            stems[stem] = number
            continue
        problems.append(Problem(kind, split_file, found, remedy))
    return list(stems), problems


def _or(suffixes: Sequence[str]) -> str:
    return " or ".join(repr(suffix) for suffix in suffixes)


def _missing_folder(folder: Path, spec: SplitSpec) -> Problem:
    remedy = "correct data_root or data_prefix; the layout is ROOT/{images,masks}/{train,val,test}."
    if folder == spec.mask_dir:
        remedy += " To predict without masks, leave seg_map_path out of data_prefix."
    return Problem("missing folder", folder, f"no such folder (split {spec.name!r}).", remedy)


def _empty_folder(spec: SplitSpec) -> Problem:
    there = Counter(path.suffix or "no suffix" for path in _walk(spec.image_dir))
    counted = ", ".join(f"{count} x {suffix}" for suffix, count in there.most_common(5))
    found = f"split {spec.name!r} is empty: no file ends with {_or(spec.img_suffixes)}"
    found += f" (there: {counted})." if counted else " (the folder is empty)."
    remedy = "put the images there, or set img_suffix to what they end with."
    return Problem("empty split", spec.image_dir, found, remedy)


def _other_suffix(path: Path, spec: SplitSpec) -> Problem:
    found = f"would be left out: it does not end with {_or(spec.img_suffixes)}."
    remedy = f"add {path.suffix!r} to img_suffix, or move the file away."
    return Problem("image suffix", path, found, remedy)


def _stem_twice(path: Path, first: Path) -> Problem:
    found = f"has the same stem as {first.name}, so both would share one mask."
    return Problem("stem twice", path, found, "remove or rename one of the two images.")


def _image_without_mask(pair: Pair, spec: SplitSpec) -> Problem:
    assert spec.mask_dir is not None
    wanted = spec.mask_dir / (pair.stem + spec.mask_suffix)
    remedy = f"add the mask, or remove the image, or set seg_map_suffix ({spec.mask_suffix!r} now)."
    return Problem("image without mask", pair.image, f"there is no mask {wanted}.", remedy)


def _mask_without_image(mask: Path, spec: SplitSpec) -> Problem:
    found = f"{spec.image_dir} has no image of this stem ending with {_or(spec.img_suffixes)}."
    remedy = "add the image, or remove the mask, or set img_suffix."
    return Problem("mask without image", mask, found, remedy)
