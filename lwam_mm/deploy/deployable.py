"""Which configs can be deployed: those whose test pipeline the runtime can reproduce.

The runtime decodes an image file, resizes it bilinearly to the size of the model or pads it with
zeros to a multiple of its stride, normalises it, and takes the class of the highest logit.
Whatever else a config does to an image at test time would be missing from the bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import mmcv.transforms
import mmseg.datasets.transforms
import numpy as np
from mmengine.config import Config
from mmseg.registry import DATASETS, TRANSFORMS

from lwam_mm.datasets.splits import datasets_in, is_wrapper
from lwam_mm.datasets.transforms.loading import LoadCheckedImage, LoadIndexMask
from lwam_mm.deploy.deploy_config import ExportError
from lwam_mm.models.checkpoint import CheckpointMismatchError
from lwam_mm.models.input_size import STRIDE

_RESIZES = (mmseg.datasets.transforms.Resize, mmcv.transforms.Resize)
_LEAVE_THE_IMAGE_ALONE = (
    LoadCheckedImage,
    LoadIndexMask,
    mmseg.datasets.transforms.LoadAnnotations,
    mmseg.datasets.transforms.PackSegInputs,
)
_OTHER_RESIZES = dict(keep_ratio=False, interpolation="bilinear", backend="cv2", scale_factor=None)


def check_deployable(config: Config, size: tuple[int, int] | None) -> None:
    """Refuse a config that tests images in a way that the runtime does not reproduce.

    Args:
        config: A segmentor's config.
        size: Height and width of the model to export; None for a model of any size, which never
            resizes an image, whatever the test pipeline does.

    Raises:
        CheckpointMismatchError: The config is that of a distillation.
        ExportError: Names each setting, its value, and the remedy.
    """
    refuse_distillation(config)
    problems = [
        *_pipeline_problems(config, size),
        *_preprocessor_problems(preprocessor_of(config), size),
        *_model_problems(config, size),
    ]
    if problems:
        raise ExportError(
            f"{config.filename or 'the config'}: a bundle cannot do what this config does to an "
            "image at test time:\n  " + "\n  ".join(problems)
        )


def refuse_distillation(config: Config) -> None:
    """Make sure that a config is a plain student's.

    Raises:
        CheckpointMismatchError: It is the config of a distillation.
    """
    if config.model.get("distiller") is not None:
        raise CheckpointMismatchError(
            f"{config.filename}: is the config of a distillation. Take the student out of its "
            "checkpoint with tools/extract_student.py, then export with the student's own config"
        )


def tested_size(config: Config) -> tuple[int, int]:
    """Return the height and width that a config's test pipeline resizes to.

    Raises:
        ExportError: It resizes to no fixed size, or to one that the networks do not take.
    """
    for transform in config.get("test_pipeline", []):
        scale = _scale(transform) if is_resize(transform) else None
        if scale and not transform.get("keep_ratio"):
            width, height = scale
            if width % STRIDE or height % STRIDE:
                raise ExportError(
                    f"{config.filename}: test_pipeline resizes to {width}x{height}, which is no "
                    f"multiple of {STRIDE}; change it, or export with --dynamic"
                )
            return height, width
    raise ExportError(
        f"{config.filename}: test_pipeline has no Resize(keep_ratio=False), which would fix the "
        "model's size; add one, or export with --dynamic"
    )


def dataset_classes(config: Config) -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    """Return class names and RGB palette (0..255) of a config's test set; no file is opened."""
    return _classes_of(_test_set(config))


def dataset_white_level(config: Config) -> int | None:
    """Return the 16-bit value that a config's test set takes for white; None for 65535."""
    return _test_set(config).get("white_level")


def is_resize(transform: Mapping[str, Any]) -> bool:
    """Whether a transform of a pipeline is a ``Resize``, under whatever name."""
    return _class_of(transform) in _RESIZES


def preprocessor_of(config: Config) -> Mapping[str, Any]:
    """Return the settings of the model's data preprocessor, as mmengine's runner finds them."""
    return config.model.get("data_preprocessor") or config.get("data_preprocessor") or {}


def normalisation(preprocessor: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and std, RGB, in units of 0..255; 0 and 1 where nothing is normalised."""
    mean, std = preprocessor.get("mean"), preprocessor.get("std")
    if mean is None:
        mean, std = 0.0, 1.0
    return tuple(tuple(map(float, np.broadcast_to(value, 3))) for value in (mean, std))


def padding_divisor(preprocessor: Mapping[str, Any]) -> int | None:
    """Return what a test image's sides are padded to a multiple of; None if it is not padded."""
    return (preprocessor.get("test_cfg") or {}).get("size_divisor")


def _test_set(config: Config) -> dict[str, Any]:
    loader = config.get("test_dataloader") or config.val_dataloader
    *_, (_, innermost) = datasets_in(loader.dataset, "")
    return innermost


def _classes_of(dataset: dict[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    meta = DATASETS.get(dataset["type"])._load_metainfo(dataset.get("metainfo"))
    palette = tuple(tuple(int(value) for value in colour) for colour in meta["palette"])
    return tuple(meta["classes"]), palette


def _evaluated_datasets(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    for side in ("val_dataloader", "test_dataloader"):
        if config.get(side):
            yield from datasets_in(config[side].dataset, f"{side}.dataset")


def _pipeline_problems(config: Config, size: tuple[int, int] | None) -> Iterator[str]:
    if "test_pipeline" not in config:
        yield "test_pipeline is not set, but MMDeploy reads it; set it to the test set's pipeline"
    pipelines = {"test_pipeline": config.get("test_pipeline", [])} | {
        f"{path}.pipeline": dataset.get("pipeline") or []
        for path, dataset in _evaluated_datasets(config)
    }
    places: dict[str, list[str]] = {}
    for name, pipeline in pipelines.items():
        for problem in _transform_problems(pipeline, size):
            places.setdefault(problem, []).append(name)
    for problem, names in places.items():
        yield f"{', '.join(names)}: {problem}"


def _transform_problems(
    pipeline: Sequence[Mapping[str, Any]], size: tuple[int, int] | None
) -> Iterator[str]:
    resizes = 0
    for transform in pipeline:
        if is_resize(transform):
            resizes += 1
            if size is not None:
                yield from _resize_problems(transform, size)
        elif _class_of(transform) not in _LEAVE_THE_IMAGE_ALONE:
            yield (
                f"{_shown(transform)} is not done by the runtime; take it out (images are loaded "
                "by LoadCheckedImage and normalised by data_preprocessor)"
            )
    if resizes > 1 and size is not None:
        yield f"resizes {resizes} times, the runtime once; leave one Resize"


def _resize_problems(transform: Mapping[str, Any], size: tuple[int, int]) -> Iterator[str]:
    for name, done in _OTHER_RESIZES.items():
        if transform.get(name, done) != done:
            yield (
                f"{_shown(transform)}: the runtime resizes with {name}={done!r}; train and test "
                "with that, or export with --dynamic, for images that are not resized"
            )
    if _scale(transform) not in (None, size[::-1]):
        yield (
            f"{_shown(transform)}: the model to export takes {size[1]}x{size[0]}; give all test "
            "pipelines and the deploy config's input_shape the same size"
        )


def _preprocessor_problems(
    preprocessor: Mapping[str, Any], size: tuple[int, int] | None
) -> Iterator[str]:
    name = "model.data_preprocessor"
    kind = str(preprocessor.get("type")).rpartition(".")[2]
    if kind != "SegDataPreProcessor":
        yield f"{name}.type is {kind}; use SegDataPreProcessor"
        return
    if not preprocessor.get("bgr_to_rgb") or preprocessor.get("rgb_to_bgr"):
        yield f"{name}.bgr_to_rgb is off, but a bundle's network takes RGB; train with True"
    try:
        _, std = normalisation(preprocessor)
        fits = min(std) > 0
    except (TypeError, ValueError):
        fits = False
    if not fits:
        yield (
            f"{name}: mean={preprocessor.get('mean')}, std={preprocessor.get('std')}; give one "
            "number for each of R, G and B, std above 0, or None for both"
        )
    if (fixed := (preprocessor.get("test_cfg") or {}).get("size")) is not None:
        yield f"{name}.test_cfg.size is {fixed}; use test_cfg=dict(size_divisor={STRIDE})"
    divisor = padding_divisor(preprocessor)
    if size is not None:
        if divisor and any(side % divisor for side in size):
            yield (
                f"{name}.test_cfg.size_divisor is {divisor}, but the model to export takes "
                f"{size[1]}x{size[0]} and pads nothing; use a size that is a multiple of it"
            )
        return
    if not divisor or divisor % STRIDE:
        yield (
            f"{name}.test_cfg.size_divisor is {divisor}, but a model for images of any size pads "
            f"them to multiples of {STRIDE}; use test_cfg=dict(size_divisor={STRIDE})"
        )
    if preprocessor.get("pad_val", 0) != 0:
        yield f"{name}.pad_val is {preprocessor['pad_val']}, the runtime pads with 0; use 0"


def _model_problems(config: Config, size: tuple[int, int] | None) -> Iterator[str]:
    if (mode := (config.model.get("test_cfg") or {}).get("mode", "whole")) != "whole":
        yield (
            f"model.test_cfg.mode is {mode!r}; use 'whole' (with --dynamic the runtime cuts large "
            "images into tiles by itself, with the labels of the whole image)"
        )
    head = config.model.decode_head
    head = head[-1] if isinstance(head, Sequence) else head  # of a cascade
    if size is not None and head.get("align_corners"):
        yield (
            "model.decode_head.align_corners is True, but the runtime resizes logits with False; "
            "train with False, or export with --dynamic, for images that are not resized"
        )
    expected, _ = dataset_classes(config)
    for path, dataset in _evaluated_datasets(config):
        if is_wrapper(dataset):
            continue
        classes, _ = _classes_of(dataset)
        if classes != expected:
            yield (
                f"{path} has the classes {', '.join(classes)}, but the test set "
                f"{', '.join(expected)}; give both the same metainfo"
            )
        if (level := dataset.get("white_level")) != (tested := dataset_white_level(config)):
            yield (
                f"{path}.white_level is {level}, but that of the test set is {tested}; give both "
                "the same"
            )


def _class_of(transform: Mapping[str, Any]) -> type | None:
    kind = transform["type"]
    return TRANSFORMS.get(kind) if isinstance(kind, str) else kind


def _scale(transform: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the width and height that a Resize makes; None if they depend on the image."""
    scale = transform.get("scale")
    return (scale, scale) if isinstance(scale, int) else scale and tuple(scale)


def _shown(transform: Mapping[str, Any]) -> str:
    settings = dict(transform)
    kind = settings.pop("type")
    name = kind if isinstance(kind, str) else kind.__name__
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in settings.items())})"
