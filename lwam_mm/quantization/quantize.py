"""Post-training quantization of the folded student: float ONNX in, INT8 QDQ ONNX out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from lwam_mm.quantization.after_moves import quantize_after_moves
from lwam_mm.quantization.equalize import equalize
from lwam_mm.quantization.round_weights import mean_inputs, round_weights
from lwam_mm.quantization.silent_nncf import import_nncf, quiet_nncf
from lwam_mm.utils.errors import UserError

_CONVOLUTIONS = ("Conv", "ConvTranspose")
# From this version of ONNX on, DequantizeLinear takes one scale for each channel.
_FIRST_PER_CHANNEL_OPSET = 13


class QuantizationError(UserError, ValueError):
    """The model cannot be quantized with these images, or not within the limit."""


@dataclass(frozen=True)
class ControlledQuantization:
    """What :func:`quantize_with_accuracy_control` found.

    Attributes:
        model: The INT8 model.
        float_score: ``validate`` of the float model.
        score: ``validate`` of ``model``; at most ``max_drop`` below ``float_score``.
        float_layers: Names of the convolutions that stayed in float, in the graph's order.
    """

    model: onnx.ModelProto
    float_score: float
    score: float
    float_layers: tuple[str, ...]


def quantize(
    model: onnx.ModelProto, calibration: Iterable[np.ndarray], *, ignored: Iterable[str] = ()
) -> onnx.ModelProto:
    """Quantize every convolution of a folded model to 8 bits.

    First, channels are scaled so that 8 bits cost less
    (:func:`~lwam_mm.quantization.equalize.equalize`). Weights become int8 with one symmetric scale
    for each output channel, small enough that sums do not overflow on processors without VNNI, and
    biases make up for what that shifts
    (:func:`~lwam_mm.quantization.round_weights.round_weights`). Activations get one scale for each
    tensor, which covers all values that they take on the calibration images. Biases and logits stay
    in float. The result runs in ONNX Runtime, and in OpenVINO as fast as a model that
    was quantized there. Equal arguments give equal models.

    Args:
        model: Float ONNX model with one input, float32 (N, 3, H, W), batch norms folded. It is
            not changed.
        calibration: Normalised images as the model takes them, float32 (1, 3, H, W). All are held
            in memory; a few dozen of the training set are enough.
        ignored: Names of convolution nodes to leave in float.

    Returns:
        The same layers with QuantizeLinear and DequantizeLinear nodes.

    Raises:
        QuantizationError: The model has batch norms, no convolutions or another input, or is
            quantized already; there is no image, or one of another shape or dtype, or with NaN or
            infinity; a name in ``ignored`` is not that of a convolution.
    """
    ignored, feed, images = _checked(model, calibration, ignored)
    model = equalize(model, images)
    means = mean_inputs(model, images)
    nncf = import_nncf()
    with quiet_nncf():
        quantized = nncf.quantize(
            model, _dataset(images, feed), **nncf_options(len(images), ignored)
        )
    return _finished(round_weights(quantized, model, means), ignored)


def quantize_with_accuracy_control(
    model: onnx.ModelProto,
    calibration: Iterable[np.ndarray],
    validate: Callable[[onnx.ModelProto], float],
    max_drop: float,
    *,
    ignored: Iterable[str] = (),
) -> ControlledQuantization:
    """Quantize a folded model and return layers to float until it is accurate enough.

    If the plain result of :func:`quantize` loses too much, each layer is tried in float alone.
    Then layer after layer returns to float, the one that helps most first. With 15 layers this
    takes some 20 to 30 validations.

    Args:
        model: As for :func:`quantize`.
        calibration: As for :func:`quantize`.
        validate: Returns a model's score, higher is better, for example its mIoU in percent. It is
            called with the float model and with candidates.
        max_drop: How far the score may fall below that of the float model, in its unit.
        ignored: As for :func:`quantize`.

    Returns:
        The model within the limit, its score and the layers that stayed in float.

    Raises:
        QuantizationError: As for :func:`quantize`; ``max_drop`` is negative; a score is not
            finite; no layer is left that could be quantized within the limit.
    """
    if not 0 <= max_drop < math.inf:
        raise QuantizationError(f"max_drop={max_drop}: give a limit of 0 or more")
    ignored, feed, images = _checked(model, calibration, ignored)
    float_score = _score(validate, model)
    model = equalize(model, images)
    means = mean_inputs(model, images)

    def score(candidate: onnx.ModelProto, _: Iterable[Any]) -> tuple[float, list[float]]:
        value = float_score
        if candidate is not model:
            value = _score(validate, round_weights(_as_written(candidate), model, means))
        # NNCF divides by the float model's score, which may be 0: only differences count here.
        shifted = value - float_score + 1
        # One score for one "image" makes NNCF rank the layers by the score itself.
        return shifted, [shifted]

    nncf = import_nncf()
    options = nncf_options(len(images), ignored)
    advanced = options.pop("advanced_parameters")  # has another name here
    with quiet_nncf():
        restored = nncf.quantize_with_accuracy_control(
            model,
            _dataset(images, feed),
            nncf.Dataset([None]),  # validate reads the images itself
            score,
            max_drop=max_drop,
            drop_type=nncf.DropType.ABSOLUTE,
            advanced_quantization_parameters=advanced,
            **options,
        )
    # When NNCF fails it only logs so, and returns its last candidate.
    left = float_layers(quantize_after_moves(restored))
    if len(left) == len(_convolutions(restored)):
        raise QuantizationError(
            f"no layer can be INT8 with a score of {float_score - max_drop:.6g} or more (float "
            f"{float_score:.6g}, allowed drop {max_drop:.6g}). Calibrate on more images, train "
            "with block='QARepConv', or allow a larger drop"
        )
    quantized = _finished(round_weights(restored, model, means), left)
    final_score = _score(validate, quantized)
    if float_score - final_score > max_drop:
        raise QuantizationError(
            f"the INT8 model scores {final_score:.6g} at best, more than {max_drop:.6g} below the "
            f"float model's {float_score:.6g}; allow a larger drop, or make validate return the "
            "same score for the same model"
        )
    return ControlledQuantization(quantized, float_score, final_score, left)


def nncf_options(images: int, ignored: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the options that :func:`quantize` passes to ``nncf.quantize``.

    Args:
        images: How many images it calibrates on.
        ignored: Names of layers to leave in float.
    """
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    nncf = import_nncf()
    # In place of defaults that cost the student accuracy.
    advanced = nncf.AdvancedQuantizationParameters(
        # Processors without VNNI add pairs of products in 16 bits, which overflow if the weights
        # use all 8 bits: the model would give other labels there than where it was checked.
        overflow_fix=nncf.OverflowFix.ENABLE,
        # By default the largest value of each image is averaged over the images, which cuts off
        # the activations of a defect that few of them show.
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
        # On trained students it did no good and cost up to 12 mIoU.
        disable_bias_correction=True,
    )
    return dict(
        preset=nncf.QuantizationPreset.PERFORMANCE,  # symmetric, which every engine has kernels for
        target_device=nncf.TargetDevice.CPU,
        subset_size=images,
        ignored_scope=nncf.IgnoredScope(names=list(ignored)) if ignored else None,
        advanced_parameters=advanced,
    )


def float_layers(model: onnx.ModelProto) -> tuple[str, ...]:
    """Name the convolutions whose input and weights are not both quantized, in order."""
    dequantizers = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
    dequantized = {node.output[0] for node in dequantizers}
    return tuple(
        node.name for node in _convolutions(model) if not dequantized.issuperset(node.input[:2])
    )


def _convolutions(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type in _CONVOLUTIONS]


def _checked(
    model: onnx.ModelProto, calibration: Iterable[np.ndarray], ignored: Iterable[str]
) -> tuple[tuple[str, ...], onnx.ValueInfoProto, list[np.ndarray]]:
    """Return the layers to leave in float, the model's input and the images, once checked."""
    operators = {node.op_type for node in model.graph.node}
    if "BatchNormalization" in operators:
        raise QuantizationError(
            "the model has batch norms left, which lose accuracy in INT8: fold it first "
            "(lwam_mm.models.reparameterize), then export it"
        )
    if operators & {"QuantizeLinear", "DequantizeLinear"}:
        raise QuantizationError("the model is quantized already; give the float model")
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < _FIRST_PER_CHANNEL_OPSET:
        raise QuantizationError(
            f"the model's opset {opset} has no scales for single channels; export it with opset "
            f"{_FIRST_PER_CHANNEL_OPSET} or newer"
        )
    names = [node.name for node in _convolutions(model)]
    ignored = tuple(ignored)
    if unknown := sorted(set(ignored) - set(names)):
        raise QuantizationError(f"ignored={unknown}: no such convolutions; there are {names}")
    if not set(names) - set(ignored):
        raise QuantizationError(
            f"the model has no convolution to quantize (convolutions: {names}, ignored: "
            f"{list(ignored)}); is it the student's?"
        )
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    kinds = [value.type.tensor_type for value in inputs]
    if [(kind.elem_type, len(kind.shape.dim)) for kind in kinds] != [(onnx.TensorProto.FLOAT, 4)]:
        raise QuantizationError(
            f"the model's inputs are {[value.name for value in inputs]}, but quantization needs a "
            "single one, float32 (N, 3, H, W); quantize before the normalisation goes into the "
            "graph"
        )
    return ignored, inputs[0], _checked_images(calibration, inputs[0])


def _checked_images(images: Iterable[np.ndarray], feed: onnx.ValueInfoProto) -> list[np.ndarray]:
    # The first side is open in a model for any batch, the last two in one for any size of image.
    sizes = [dim.dim_value or None for dim in feed.type.tensor_type.shape.dim]
    expected = (1, sizes[1] or 3, *sizes[2:])
    shown = f"({', '.join(str(size or 'any') for size in expected)})"
    checked = []
    for index, image in enumerate(images):
        image = np.asarray(image)
        fits = image.ndim == 4 and all(
            have > 0 and want in (None, have)
            for want, have in zip(expected, image.shape, strict=True)
        )
        if not fits or image.dtype != np.float32:
            raise QuantizationError(
                f"calibration image {index} is {image.dtype} of shape {image.shape}; the model "
                f"takes float32 of shape {shown}, normalised as in training"
            )
        if not np.isfinite(image).all():
            raise QuantizationError(
                f"calibration image {index} holds NaN or infinity; leave it out or repair it"
            )
        checked.append(image)
    if not checked:
        raise QuantizationError(
            "there is no calibration image; give a few dozen of the training set"
        )
    return checked


def _dataset(images: list[np.ndarray], feed: onnx.ValueInfoProto) -> Any:
    return import_nncf().Dataset(images, lambda image: {feed.name: image})


def _as_written(candidate: onnx.ModelProto) -> onnx.ModelProto:
    """Return a candidate with its weights in int8, as NNCF writes them into the final model.

    Until then the engine rounds them, and not all to the same integers: near the limit, the model
    that is validated would differ from the one that is returned.
    """
    from nncf.onnx.quantization.quantize_model import compress_quantize_weights_transformation

    written = onnx.ModelProto()
    written.CopyFrom(candidate)
    compress_quantize_weights_transformation(written)
    return written


def _finished(model: onnx.ModelProto, expected_in_float: tuple[str, ...]) -> onnx.ModelProto:
    model = quantize_after_moves(model)
    if wrong := sorted(set(float_layers(model)) ^ set(expected_in_float)):
        raise QuantizationError(
            f"NNCF quantized other layers than it was asked to: {wrong}; lwam_mm needs NNCF 3.4"
        )
    onnx.checker.check_model(model, full_check=True)
    return model


def _score(validate: Callable[[onnx.ModelProto], float], model: onnx.ModelProto) -> float:
    score = float(validate(model))
    if not math.isfinite(score):
        raise QuantizationError(
            f"validate gave {score}, which is not a score; do the validation images have labels?"
        )
    return score
