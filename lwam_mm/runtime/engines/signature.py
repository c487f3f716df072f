"""Compares a loaded model's inputs and outputs with the bundle's manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from lwam_mm.runtime.bundle import Bundle
from lwam_mm.runtime.errors import BundleError


@dataclass(frozen=True)
class Port:
    """An input or output of a loaded model."""

    dtype: str  # as numpy names it
    # One entry per dimension: its length, or None where the model takes any.
    shape: tuple[int | None, ...]


def check_signature(
    bundle: Bundle, inputs: Mapping[str, Port], outputs: Mapping[str, Port]
) -> None:
    """Refuse a model that contradicts the manifest, as far as its shapes are fixed."""
    manifest = bundle.manifest
    spec = manifest.input
    classes = len(manifest.classes)
    height, width = spec.size or (None, None)
    if set(inputs) != {spec.name}:
        _disagree(bundle, "inputs", sorted(inputs), "input.name", spec.name)
    expected_type, expected_shape = {
        "tensor": ("float32", (1, 3, height, width)),
        "frame": ("uint8", (1, height, width, 3)),
    }[spec.kind]
    port = inputs[spec.name]
    if port.dtype != expected_type:
        _disagree(bundle, "input type", port.dtype, "input.kind", spec.kind)
    if not _fits(port.shape, expected_shape):
        _disagree(bundle, "input shape", port.shape, "input.size", spec.size)
    wanted: list[tuple[str, str, str, tuple[int | None, ...]]] = [
        ("logits", manifest.output.logits, "float32", (1, classes, height, width))
    ]
    if manifest.output.labels is not None:
        wanted.append(("labels", manifest.output.labels, "uint8", (1, height, width)))
    if manifest.output.check is not None:
        wanted.append(("check", manifest.output.check, "float32", (1,)))
    for field, name, dtype, shape in wanted:
        if name not in outputs:
            _disagree(bundle, "outputs", sorted(outputs), f"output.{field}", name)
        port = outputs[name]
        if port.dtype != dtype:
            _disagree(bundle, f"type of {name!r}", port.dtype, f"output.{field}", dtype)
        channels = port.shape[1:2] if field == "logits" and len(port.shape) == 4 else ()
        if channels and not _fits(channels, (classes,)):
            _disagree(bundle, "output channels", channels[0], "classes", list(manifest.classes))
        if not _fits(port.shape, shape):
            _disagree(bundle, f"shape of {name!r}", port.shape, "input.size", spec.size)


def _fits(shape: Sequence[int | None], expected: Sequence[int | None]) -> bool:
    """Tell whether a model's shape is as expected, where None means any length.

    A fixed length does not fit None: the manifest promises any size there.
    """
    return len(shape) == len(expected) and all(
        side is None or side == want for side, want in zip(shape, expected, strict=True)
    )


def _disagree(bundle: Bundle, what: str, found: object, field: str, said: object) -> NoReturn:
    raise BundleError(
        f"{bundle.model_path}: the model's {what}: {found}; bundle.json says {field!r}: {said}. "
        "Export the bundle again, or correct bundle.json"
    )
