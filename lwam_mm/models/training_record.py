"""What a checkpoint remembers of its training, and how that is compared with a config.

Weights alone do not say which class an output channel stands for, or how the images were
normalized. A config that disagrees with the training on either gives wrong masks without an error.
"""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmseg.registry import DATASETS
from torch import nn

from lwam_mm.utils.errors import UserError

META_KEY = "training_record"
"""Key of the record in a checkpoint's ``meta``."""


class TrainingMismatchError(UserError, RuntimeError):
    """A checkpoint was trained with other classes, colours or preprocessing than expected."""


@dataclass(frozen=True)
class Preprocessing:
    """How pixels become a network's input.

    Attributes:
        mean: Mean that is subtracted from each channel, on a scale of 0 to 255; 0 if there is
            no normalization.
        std: Standard deviation that each channel is divided by; 1 if there is no normalization.
        channel_order: Order in which the network gets the channels of an image loaded as BGR.
        pad_value: Value of padded pixels, after normalization.
    """

    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channel_order: str = "BGR"
    pad_value: float = 0.0

    @classmethod
    def of_module(cls, preprocessor: nn.Module) -> Preprocessing | None:
        """Read a built data preprocessor; None unless it is mmseg's or derived from it."""
        from mmseg.models.data_preprocessor import SegDataPreProcessor

        if not isinstance(preprocessor, SegDataPreProcessor):
            return None
        values = {
            name: getattr(preprocessor, name).flatten().tolist()
            for name in ("mean", "std")
            if hasattr(preprocessor, name)
        }
        return cls._make(values, preprocessor.channel_conversion, preprocessor.pad_val)

    @classmethod
    def of_config(cls, settings: Any) -> Preprocessing | None:
        """Read a preprocessor's config; None if it is no readable ``SegDataPreProcessor``."""
        if not isinstance(settings, Mapping):
            return None
        if not str(settings.get("type")).endswith("SegDataPreProcessor"):
            return None
        swapped = settings.get("bgr_to_rgb") or settings.get("rgb_to_bgr")
        try:
            return cls._make(settings, swapped, settings.get("pad_val", 0))
        except (TypeError, ValueError):  # no numbers
            return None

    @classmethod
    def _make(cls, values: Mapping, swapped: Any, pad_value: float) -> Preprocessing:
        def channels(name: str, default: float) -> tuple[float, ...]:
            given = [default] if values.get(name) is None else values[name]
            # A config's number then equals that of the float32 buffer which is made of it.
            numbers = tuple(float(f"{float(np.float32(value)):.7g}") for value in given)
            return numbers * 3 if len(numbers) == 1 else numbers

        order = "RGB" if swapped else "BGR"
        return cls(channels("mean", 0), channels("std", 1), order, float(pad_value))

    def __str__(self) -> str:
        mean, std = (", ".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        return f"mean [{mean}], std [{std}], {self.channel_order}, padded with {self.pad_value:g}"


@dataclass(frozen=True)
class TrainingRecord:
    """What a checkpoint remembers of its training; None where it does not say.

    Attributes:
        classes: Class names, in the order of the output channels.
        palette: RGB colour (0 to 255) of each class.
        preprocessing: How the images were prepared.
        white_level: The value in 16-bit image files that became 255.
        scores: Validation scores of these weights by name; means of a segmentation in percent.
        images: Number of images that the scores were measured on.
    """

    classes: tuple[str, ...] | None = None
    palette: tuple[tuple[int, ...], ...] | None = None
    preprocessing: Preprocessing | None = None
    white_level: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    images: int | None = None

    @property
    def miou(self) -> float | None:
        """Validation mIoU in percent; None if the checkpoint does not remember it."""
        return self.scores.get("mIoU")

    @classmethod
    def of_checkpoint(cls, checkpoint: Mapping[str, Any]) -> TrainingRecord:
        """Read the record of a loaded checkpoint.

        Checkpoints of other trainings than ours have no explicit record. Theirs is put together
        from ``dataset_meta``, the config's text and the history of validation scores, whose last
        entry may be older than the weights.

        Args:
            checkpoint: What ``torch.load`` returns; a bare state dict has an empty record.
        """
        meta = checkpoint.get("meta")
        if not isinstance(meta, Mapping):
            return cls()
        if isinstance(meta.get(META_KEY), Mapping):
            return cls._from_plain(meta[META_KEY])
        dataset_meta = meta.get("dataset_meta") or meta
        classes, palette = _classes_and_palette(dataset_meta)
        preprocessing = _preprocessing_of(_parse_config(meta.get("cfg")))
        scores = _last_miou(checkpoint.get("message_hub"))
        return cls(classes, palette, preprocessing, _white_level(dataset_meta), scores)

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> TrainingRecord:
        """Read what a config expects of a checkpoint, without opening any image.

        Args:
            config: Config of a segmentor or of a distillation, whose student then counts. The
                classes are those of its test set.
        """
        metainfo = _metainfo((config.get("test_dataloader") or {}).get("dataset"))
        classes, palette = _classes_and_palette(metainfo)
        return cls(classes, palette, _preprocessing_of(config), _white_level(metainfo))

    @classmethod
    def of_run(cls, model: nn.Module, dataset: Any) -> TrainingRecord:
        """Read what a built model and data set expect of a checkpoint."""
        metainfo = getattr(dataset, "metainfo", None)
        classes, palette = _classes_and_palette(metainfo)
        preprocessing = Preprocessing.of_module(getattr(model, "data_preprocessor", None))
        return cls(classes, palette, preprocessing, _white_level(metainfo))

    def as_plain(self) -> dict[str, Any]:
        """Return the record in plain values, which load with ``weights_only=True``."""
        return asdict(self)

    @classmethod
    def _from_plain(cls, values: Mapping[str, Any]) -> TrainingRecord:
        classes, palette = _classes_and_palette(values)
        preprocessing = values.get("preprocessing")
        if preprocessing is not None:
            known = {f.name: preprocessing[f.name] for f in fields(Preprocessing)}
            known |= {name: tuple(known[name]) for name in ("mean", "std")}
            preprocessing = Preprocessing(**known)
        scores, images = values.get("scores") or {}, values.get("images")
        return cls(classes, palette, preprocessing, _white_level(values), scores, images)


def check_training_record(
    record: TrainingRecord,
    expected: TrainingRecord,
    source: str,
    accept: bool = False,
    remedy: str = "use the config of that training",
) -> None:
    """Compare what a checkpoint remembers of its training with what is expected of it.

    What either side does not say is not compared. The log notes a checkpoint that remembers
    nothing, and the differences that are accepted.

    Args:
        record: The checkpoint's.
        expected: The config's.
        source: What to call the checkpoint in messages, usually its file.
        accept: Log a difference as a warning instead of raising an error.
        remedy: What to do if the difference is not intended.

    Raises:
        TrainingMismatchError: Classes, their order, colours or preprocessing differ; the message
            shows both sides.
    """
    if record.classes is None and record.preprocessing is None:
        print_log(
            f"{source} does not say how it was trained, so its classes and normalization could "
            "not be compared with the config's",
            logger="current",
        )
    differences = list(_differences(record, expected))
    if not differences:
        return
    lines = [f"{source} was trained otherwise than the config says:", *differences]
    if accept:
        print_log("\n".join(lines), logger="current", level=logging.WARNING)
        return
    lines.append(
        f"  Remedy: {remedy}. If the difference is intended, pass --accept-mismatch (in a config: "
        "accept_mismatch=True; in that of a distillation: model.accept_mismatch=True)."
    )
    raise TrainingMismatchError("\n".join(lines))


def _differences(record: TrainingRecord, expected: TrainingRecord) -> Iterator[str]:
    pairs = [
        ("classes", record.classes, expected.classes, ", ".join),
        ("preprocessing", record.preprocessing, expected.preprocessing, str),
        ("white level", record.white_level, expected.white_level, str),
    ]
    if record.classes == expected.classes:  # else the colours differ with the classes
        pairs.append(("palette", record.palette, expected.palette, lambda p: str(list(p))))
    for name, theirs, ours, show in pairs:
        if theirs is None or ours is None or theirs == ours:
            continue
        yield f"  {name}:"
        yield f"    in the checkpoint: {show(theirs)}"
        yield f"    in the config:     {show(ours)}"


def _classes_and_palette(meta: Any) -> tuple[Any, Any]:
    """Read class names and colours; MMSegmentation before 1.0 wrote them in capitals."""
    if not isinstance(meta, Mapping):
        return None, None
    classes, palette = (meta.get(key) or meta.get(key.upper()) for key in ("classes", "palette"))
    classes = tuple(map(str, classes)) if classes else None
    # Datasets with a part of their classes list the colours of all before they are built.
    if classes is None or palette is None or len(palette) != len(classes):
        return classes, None
    return classes, tuple(tuple(int(value) for value in colour) for colour in palette)


def _metainfo(dataset: Any) -> Any:
    """Return the metainfo of a data set's config, seen through mmengine's wrappers."""
    if not isinstance(dataset, Mapping):
        return None
    if "dataset" in dataset or dataset.get("datasets"):
        return _metainfo(dataset.get("dataset") or dataset["datasets"][0])
    kind = dataset.get("type")
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    load = getattr(kind, "_load_metainfo", None)
    if load is None:
        return None
    metainfo = load(dataset.get("metainfo"))
    if dataset.get("white_level") is not None:
        metainfo["white_level"] = dataset["white_level"]
    return metainfo


def _white_level(meta: Any) -> int | None:
    return meta.get("white_level") if isinstance(meta, Mapping) else None


def _preprocessing_of(config: Mapping[str, Any]) -> Preprocessing | None:
    model = config.get("model")
    student = model.get("architecture") if isinstance(model, Mapping) else None
    # In a runner's order: the model's own, the config's, in a distillation the student's.
    for owner in (model, config, student):
        if isinstance(owner, Mapping) and owner.get("data_preprocessor") is not None:
            return Preprocessing.of_config(owner["data_preprocessor"])
    return None


def _parse_config(text: Any) -> dict[str, Any]:
    """Read model and preprocessor from a config's text without running it."""
    try:
        statements = ast.parse(text).body if isinstance(text, str) else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # whatever a file holds
        return {}
    return {
        target.id: _literal(statement.value)
        for statement in statements
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id in ("model", "data_preprocessor")
    }


def _literal(node: ast.expr) -> Any:
    """Evaluate ``dict(...)`` calls, containers and constants; None for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return {word.arg: _literal(word.value) for word in node.keywords if word.arg}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_literal(key): _literal(value) for key, value in pairs if key is not None}
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return None


def _last_miou(hub: Any) -> dict[str, float]:
    scalars = hub.get("log_scalars") if isinstance(hub, Mapping) else None
    history = (scalars or {}).get("val/mIoU")
    if isinstance(history, Mapping):  # as our repair of the message hub writes it
        history = history.get("log_history")
    elif history is not None:
        history = history.data[0]
    return {} if history is None or len(history) == 0 else {"mIoU": float(history[-1])}
