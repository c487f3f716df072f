"""The content of ``bundle.json`` and the rules that it must keep (format version 2)."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from lwam_mm.runtime.errors import BundleError
from lwam_mm.runtime.json_fields import Fields

FORMAT_VERSION = 2
MANIFEST_NAME = "bundle.json"
TASK = "semantic-segmentation"
PRECISIONS = ("float32", "float16", "int8")
# Label 255 means "ignore" in masks, so it cannot be a class.
MAX_CLASSES = 255
MAX_DEPTH = 100


@dataclass(frozen=True)
class InputSpec:
    """The model's input: one image, as a batch of one.

    Attributes:
        name: The input's name in the model.
        size: (height, width) in pixels of a model with a fixed size; None for any size.
        mean: One number per channel, RGB order, in units of 0..255; subtracted first.
        std: One positive number per channel, RGB order, in units of 0..255; the divisor.
        resize: How an image of another size is adapted. "stretch" (fixed size): the image is
            resized bilinearly to ``size`` without keeping its aspect ratio, and the logits are
            resized bilinearly back before the argmax, like MMSegmentation's
            ``Resize(keep_ratio=False)`` at test time. "pad" (any size): the image is never
            resized; after normalisation, zeros are appended at the bottom and on the right up to
            the next multiples of ``size_divisor``, and the logits are cropped, like
            MMSegmentation's ``test_cfg=dict(size_divisor=...)``.
        size_divisor: See ``resize``.
        kind: "tensor": float32 of shape (1, 3, H, W), RGB, normalised and padded by the runtime.
            "frame": uint8 of shape (1, H, W, 3), BGR, the decoded image; normalisation, padding
            and cropping are part of the graph.
        halo: Pixels around a tile that affect the result inside it, a multiple of
            ``size_divisor``: large images are predicted in tiles that overlap by as much, with
            the result of the whole image. None where it is unknown, or where each pixel's result
            depends on the whole image.
        white_level: The value in 16-bit image files that becomes 255, 1..65535; None is 65535.
            See ``lwam_mm.runtime.read_image``. Left out of ``bundle.json`` where it is None.
    """

    name: str
    size: tuple[int, int] | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str
    size_divisor: int = 16
    kind: str = "tensor"
    halo: int | None = None
    white_level: int | None = None


@dataclass(frozen=True)
class OutputSpec:
    """The model's outputs, at the input's height and width.

    Attributes:
        logits: Name of the output with the logits: float32 of shape (1, C, H, W), unbounded.
        labels: Name of the output with the classes of highest logit: uint8 of shape (1, H, W),
            0..C-1; None where the graph has none and the runtime takes the argmax.
        check: Name of the output with the sum over a sample of the logits, float32 of shape (1,):
            NaN or infinity there tells of a broken model where only the labels are asked for. None
            where the graph has none; the logits are then always computed.
    """

    logits: str
    labels: str | None = None
    check: str | None = None

    def wanted(self, logits: bool) -> dict[str, str]:
        """Return the names of outputs to compute by field: all, or no logits where that will do."""
        names = dict(logits=self.logits, labels=self.labels, check=self.check)
        if not logits and self.check is not None:
            names["logits"] = None
        return {field: name for field, name in names.items() if name is not None}


@dataclass(frozen=True)
class Manifest:
    """The content of ``bundle.json``.

    Attributes:
        classes: Unique class names; the position is the label. Class 0 is the background.
        palette: One (R, G, B) of 0..255 per class.
        engine: The inference engine that runs the model, for instance "onnxruntime".
        precision: Number format of the weights and of the computation: "float32", "float16" or
            "int8".
        model: File name of the model inside the bundle; listed in ``files``.
        provenance: How the model was made (config, checkpoint, versions, command, ...); any JSON.
        figures: Measurements of the model; any JSON.
        files: File name -> SHA-256 in lower-case hex, for every file beside ``bundle.json``.
    """

    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    engine: str
    precision: str
    model: str
    input: InputSpec
    output: OutputSpec
    provenance: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    task: str = TASK
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """Return the text of ``bundle.json``.

        Raises:
            BundleError: ``provenance`` or ``figures`` holds what JSON cannot express, such as NaN.
        """
        try:
            data = asdict(self)
            if self.input.white_level is None:  # versions without this field can read it then
                del data["input"]["white_level"]
            if self.output.check is None:
                del data["output"]["check"]
            return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        except (TypeError, ValueError) as error:
            raise BundleError(
                f"the manifest cannot be written as JSON: {error}. Give provenance and figures as "
                "plain dicts, lists, strings, finite numbers, booleans and None"
            ) from error

    @classmethod
    def from_json(cls, text: str, source: str | Path = MANIFEST_NAME) -> "Manifest":
        """Parse and check the text of a ``bundle.json``; ``source`` is its name for messages.

        Raises:
            BundleError: The text is not JSON, has another format version, lacks a field, has an
                unknown one, or a field's value is of the wrong type or out of range.
        """
        try:
            _check_depth(text)
            data = json.loads(
                text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates
            )
        except ValueError as error:
            raise BundleError(
                f"{source} is not valid JSON: {error}. Export the bundle again"
            ) from error
        fields = Fields(data, source)
        # Checked first: nothing is known of the other fields of a newer format.
        version = fields.integer("format_version", minimum=1)
        if version != FORMAT_VERSION:
            fields.fail(
                "format_version",
                f"this lwam_mm reads version {FORMAT_VERSION}: update lwam_mm, or export the "
                "bundle again with this one",
            )
        fields.choice("task", [TASK])
        classes = fields.texts("classes")
        if not 1 <= len(classes) <= MAX_CLASSES:
            fields.fail("classes", f"give 1 to {MAX_CLASSES} class names")
        if len(set(classes)) != len(classes):
            fields.fail("classes", "give every class another name")
        palette = fields.palette("palette")
        if len(palette) != len(classes):
            fields.fail("palette", f"give one colour per class, {len(classes)} in all")
        files = fields.checksums("files")
        model = fields.text("model")
        if model not in files:
            fields.fail("model", f"name one of the bundle's files: {sorted(files)}")
        manifest = cls(
            classes=classes,
            palette=palette,
            engine=fields.text("engine"),
            precision=fields.choice("precision", PRECISIONS),
            model=model,
            input=_input_spec(fields.section("input")),
            output=_output_spec(fields.section("output")),
            provenance=fields.mapping("provenance"),
            figures=fields.mapping("figures"),
            files=files,
        )
        fields.finish()
        return manifest


def _input_spec(fields: Fields) -> InputSpec:
    spec = InputSpec(
        name=fields.text("name"),
        size=fields.optional("size", fields.size),
        mean=fields.triple("mean"),
        std=fields.triple("std"),
        resize=fields.choice("resize", ["stretch", "pad"]),
        size_divisor=fields.integer("size_divisor", minimum=1),
        kind=fields.choice("kind", ["tensor", "frame"]),
        halo=fields.optional("halo", lambda name: fields.integer(name, minimum=0)),
        white_level=(
            fields.optional("white_level", lambda name: fields.integer(name, minimum=1))
            if "white_level" in fields
            else None
        ),
    )
    if spec.white_level is not None and spec.white_level > 65535:
        fields.fail("white_level", "give a value of 1..65535, or leave it out")
    if min(spec.std) <= 0:
        fields.fail("std", "give positive numbers, in units of 0..255")
    if (spec.resize == "stretch") != (spec.size is not None):
        fields.fail("resize", f'size is {spec.size}: "stretch" needs a size, "pad" needs null')
    if spec.halo is not None and spec.halo % spec.size_divisor:
        fields.fail("halo", f"give a multiple of size_divisor, {spec.size_divisor}, or null")
    if spec.halo is not None and spec.size is not None:
        fields.fail("halo", "give null: a model of fixed size sees the whole image at once")
    fields.finish()
    return spec


def _output_spec(fields: Fields) -> OutputSpec:
    spec = OutputSpec(logits=fields.text("logits"), labels=fields.optional("labels", fields.text))
    if spec.labels == spec.logits:
        fields.fail("labels", "give the name of another output, or null")
    if "check" in fields:  # bundles of older versions do not have it
        spec = replace(spec, check=fields.optional("check", fields.text))
        others = (spec.logits, spec.labels)
        if spec.check is not None and (spec.labels is None or spec.check in others):
            fields.fail("check", "give the name of a third output beside the labels, or null")
    fields.finish()
    return spec


def _check_depth(text: str) -> None:
    """Refuse absurd nesting before the parser sees it.

    The parser relies on Python's recursion limit. Where another package has raised that limit, the
    parser would overflow the stack and crash the process.
    """
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that occurs twice in one object: Python's parser would drop the first."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"a name occurs twice in one object, among {names}")
    return result
