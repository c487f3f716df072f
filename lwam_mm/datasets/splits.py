"""Finds the sides of a split: in a root folder, or in a training config."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lwam_mm.datasets.classes import CLASSES
from lwam_mm.datasets.layout import SplitSpec, as_suffixes, checked_white_level
from lwam_mm.datasets.problem import DatasetError, Problem, error_for

SPLITS = ("train", "val", "test")


def splits_from_root(
    root: Path,
    img_suffixes: Sequence[str] = (".png",),
    mask_suffix: str = ".png",
    white_level: int | None = None,
) -> list[SplitSpec]:
    """Find the splits of a data set in the released layout, ``ROOT/{images,masks}/SPLIT``.

    Returns:
        ``train`` and ``val``, whether they are there or not, and ``test`` where it is.

    Raises:
        DatasetError: ``root`` is not a folder.
    """
    if not root.is_dir():
        remedy = "name the folder that holds images/ and masks/."
        raise error_for(Problem("missing folder", root, "no such folder.", remedy))
    has_test = any((root / kind / "test").is_dir() for kind in ("images", "masks"))
    return [
        SplitSpec(
            name,
            root / "images" / name,
            root / "masks" / name,
            as_suffixes(img_suffixes),
            mask_suffix,
            white_level=white_level,
        )
        for name in (SPLITS if has_test else SPLITS[:2])
    ]


def splits_from_config(
    config: Mapping[str, Any], root: Path | None = None
) -> tuple[list[SplitSpec], tuple[str, ...]]:
    """Find the splits that a training config uses, split files included.

    ``root`` takes the place of every ``data_root``.

    Returns:
        The splits, one for each set of files (a test side that is the validation side is not
        listed twice), and the class names.

    Raises:
        DatasetError: There is no ``PowderBedDataset`` in the config, one has no folder of masks to
            check, or the sides differ in their classes or their white level.
    """
    specs: list[SplitSpec] = []
    class_lists: dict[tuple[str, ...], str] = {}
    white_levels: dict[int | None, str] = {}
    for name in SPLITS:
        loader = config.get(f"{name}_dataloader") or {}
        for _, dataset in datasets_in(loader.get("dataset") or {}, ""):
            if not dataset or is_wrapper(dataset):
                continue
            spec = _spec_of(dataset, name, root)
            known = {(s.image_dir, s.mask_dir, s.split_file) for s in specs}
            if (spec.image_dir, spec.mask_dir, spec.split_file) not in known:
                specs.append(spec)
            classes = (dataset.get("metainfo") or {}).get("classes", CLASSES)
            if isinstance(classes, str):
                raise DatasetError(
                    f"{name}_dataloader: classes={classes!r} is a file name or a single name. "
                    "Remedy: list the class names in the config."
                )
            class_lists.setdefault(tuple(classes), name)
            white_levels.setdefault(spec.white_level, name)
    if not specs:
        raise DatasetError(
            "The config names no PowderBedDataset in train_, val_ or test_dataloader. "
            "Remedy: give a training config, or a ROOT without --config."
        )
    _check_alike("classes", "metainfo", class_lists)
    _check_alike("white levels", "white_level", white_levels)
    return specs, next(iter(class_lists))


def datasets_in(dataset: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a data set's config and those inside, if it is a wrapper, each with its path."""
    yield path, dataset
    if "dataset" in dataset:
        yield from datasets_in(dataset["dataset"], f"{path}.dataset")
    for index, inner in enumerate(dataset.get("datasets", [])):
        yield from datasets_in(inner, f"{path}.datasets.{index}")


def is_wrapper(dataset: Mapping[str, Any]) -> bool:
    """Whether a data set's config is that of a ``ConcatDataset``, ``RepeatDataset`` or the like."""
    return "dataset" in dataset or "datasets" in dataset


def _check_alike(what: str, setting: str, found: Mapping[Any, str]) -> None:
    if len(found) > 1:
        told = "; ".join(f"{name}: {value}" for value, name in found.items())
        raise DatasetError(
            f"The sides of the split have different {what} ({told}). "
            f"Remedy: give the same {setting} to all of them."
        )


def _spec_of(dataset: Mapping[str, Any], name: str, root: Path | None) -> SplitSpec:
    kind = str(dataset.get("type")).rpartition(".")[2]
    if kind != "PowderBedDataset":
        raise DatasetError(
            f"{name}_dataloader holds a {kind}, whose layout is not known here. "
            "Remedy: check a config with PowderBedDataset."
        )
    prefix = dataset.get("data_prefix") or {}
    clean = bool(dataset.get("clean"))
    if not prefix.get("img_path") or not (prefix.get("seg_map_path") or clean):
        raise DatasetError(
            f"{name}_dataloader: data_prefix={dict(prefix)!r} does not name both folders. "
            "Remedy: set img_path and seg_map_path."
        )
    base = root if root is not None else Path(dataset.get("data_root") or "")
    ann_file = dataset.get("ann_file")
    return SplitSpec(
        name=name,
        image_dir=base / prefix["img_path"],
        mask_dir=None if clean else base / prefix["seg_map_path"],
        img_suffixes=as_suffixes(dataset.get("img_suffix", ".png")),
        mask_suffix=dataset.get("seg_map_suffix", ".png"),
        split_file=base / ann_file if ann_file else None,
        white_level=checked_white_level(dataset.get("white_level")),
    )
