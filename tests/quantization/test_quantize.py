from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx.numpy_helper import to_array
from onnxruntime import InferenceSession

from lwam_mm.models import reparameterize
from lwam_mm.quantization.equalize import equalize
from lwam_mm.quantization.quantize import (
    QuantizationError,
    float_layers,
    quantize,
    quantize_with_accuracy_control,
)
from lwam_mm.runtime.engines.openvino_core import openvino_core
from lwam_mm.utils.errors import UserError

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
Images = list[np.ndarray]


def normalised(folder: Path) -> Images:
    images = []
    for path in sorted(folder.iterdir()):
        rgb = cv2.imread(str(path))[..., ::-1]
        image = ((rgb - np.array(MEAN)) / STD).astype(np.float32)
        images.append(np.ascontiguousarray(image.transpose(2, 0, 1)[None]))
    return images


@pytest.fixture(scope="module")
def calibration(deploy_data) -> Images:
    return normalised(deploy_data / "images" / "train")[:6]


@pytest.fixture(scope="module")
def validation(deploy_data) -> Images:
    return normalised(deploy_data / "images" / "val")


@pytest.fixture(scope="module")
def export(build_student) -> Callable[..., onnx.ModelProto]:
    student = build_student()

    def make(fold=True, dynamic=False, opset=17, **kwargs) -> onnx.ModelProto:
        model = reparameterize(student) if fold else copy.deepcopy(student)
        model.forward = model._forward
        free = {0: "batch", 2: "height", 3: "width"}
        file = io.BytesIO()
        torch.onnx.export(
            model,
            (torch.zeros(1, 3, 64, 64),),
            file,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes=dict(input=free, output=free) if dynamic else None,
            dynamo=False,
            opset_version=opset,
            do_constant_folding=fold,
            **kwargs,
        )
        return onnx.load_from_string(file.getvalue())

    return make


@pytest.fixture(scope="module", params=["static", "dynamic"])
def float_model(export, request) -> onnx.ModelProto:
    return export(dynamic=request.param == "dynamic")


@pytest.fixture(scope="module")
def static_model(export) -> onnx.ModelProto:
    return export()


@pytest.fixture(scope="module")
def quantized(float_model, calibration) -> onnx.ModelProto:
    return quantize(float_model, calibration)


def convolutions(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]


def names(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in convolutions(model)]


def weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: to_array(tensor) for tensor in model.graph.initializer}


def producers(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {output: node for node in model.graph.node for output in node.output}


def onnxruntime(model: onnx.ModelProto) -> Callable[[np.ndarray], np.ndarray]:
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"input": image})[0]


def openvino_cpu(model: onnx.ModelProto) -> Callable[[np.ndarray], np.ndarray]:
    core = openvino_core()
    read = core.read_model(model.SerializeToString())
    compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda image: compiled([image])[0]


def agreement(one: Callable, other: Callable, images: Images) -> float:
    """Share of pixels with the same label."""
    return float(np.mean([one(i).argmax(axis=1) == other(i).argmax(axis=1) for i in images]))


def test_every_convolution_is_quantized_per_channel(float_model, quantized, calibration):
    assert len(convolutions(quantized)) == 15
    assert names(quantized) == names(float_model)
    assert float_layers(quantized) == ()
    equalized = equalize(float_model, calibration)
    before, after, producer = weights(equalized), weights(quantized), producers(quantized)
    for node, original in zip(convolutions(quantized), convolutions(equalized), strict=True):
        activation, kernel = (producer[name] for name in node.input[:2])
        assert activation.op_type == kernel.op_type == "DequantizeLinear"
        assert producer[activation.input[0]].op_type == "QuantizeLinear"
        assert after[activation.input[1]].size == 1
        integers, scale, zero = (after[name] for name in kernel.input)
        axis = 0 if node.op_type == "Conv" else 1
        assert [a.i for a in kernel.attribute if a.name == "axis"] == [axis]
        assert integers.dtype == np.int8
        # Two weights of more than 128 in all overflow on processors without VNNI, and only there.
        size = np.abs(np.moveaxis(integers.astype(int), axis, 0).reshape(len(scale), -1))
        pairs = np.sort(size, axis=1)[:, -2:].sum(axis=1)
        assert (pairs >= 126).all()
        assert (pairs <= 128).all()
        assert scale.shape == (integers.shape[axis],)
        assert len(np.unique(scale)) > 1
        assert not zero.any()
        spread = np.expand_dims(scale, [a for a in range(4) if a != axis])
        expected = before[original.input[1]]
        assert (np.abs(integers * spread - expected) <= 0.5001 * spread).all()
        # The bias makes up for what rounding shifts on average.
        assert after[node.input[2]].dtype == np.float32
        np.testing.assert_allclose(after[node.input[2]], before[original.input[2]], atol=0.2)


def test_same_labels_as_float_in_both_engines(float_model, quantized, validation):
    reference = onnxruntime(float_model)
    seen = np.concatenate([reference(image).argmax(axis=1).ravel() for image in validation])
    assert len(np.unique(seen)) > 2
    for engine in (onnxruntime, openvino_cpu):
        assert agreement(engine(quantized), reference, validation) > 0.85
    assert agreement(onnxruntime(quantized), openvino_cpu(quantized), validation) > 0.93


def test_equal_arguments_give_equal_models(static_model, calibration):
    before = static_model.SerializeToString()
    one = quantize(static_model, calibration)
    assert static_model.SerializeToString() == before
    other = quantize(static_model, (image.copy() for image in calibration))
    assert one.SerializeToString() == other.SerializeToString()


def test_nothing_is_printed(static_model, calibration, capfd):
    quantize(static_model, calibration[:2])
    score = Score({names(static_model)[7]: 1.0})
    quantize_with_accuracy_control(static_model, calibration[:2], score, 0.5)
    assert capfd.readouterr() == ("", "")


def test_dynamic_model_takes_other_sizes(export, calibration):
    model = export(dynamic=True)
    images = [calibration[0], np.ascontiguousarray(calibration[1][..., :48, :])]
    quantized = quantize(model, images)
    image = np.concatenate([calibration[2], calibration[3]], axis=3)
    for engine in (onnxruntime, openvino_cpu):
        assert engine(quantized)(image).shape == (1, 6, 64, 128)


def test_activations_are_calibrated(static_model, calibration):
    """The scale covers the largest value, be it in one image only."""

    def input_scale(images: Images) -> float:
        model = quantize(static_model, images)
        (first,) = (n for n in model.graph.node if "input" in n.input)
        return weights(model)[first.input[1]].item()

    largest = max(np.abs(image).max() for image in calibration)
    assert input_scale(calibration) == pytest.approx(largest / 128, rel=0.02)
    brighter = [10 * calibration[0], *calibration[1:]]
    assert input_scale(brighter) == pytest.approx(10 * np.abs(calibration[0]).max() / 128, rel=0.02)


def test_ignored_layers_stay_in_float(static_model, calibration):
    ignored = [names(static_model)[3], names(static_model)[8]]
    model = quantize(static_model, calibration[:2], ignored=iter(reversed(ignored)))
    assert float_layers(model) == tuple(ignored)
    equalized = equalize(static_model, calibration[:2])
    before, after = weights(equalized), weights(model)
    for node in convolutions(equalized):
        if node.name in ignored:
            assert np.array_equal(after[node.input[1]], before[node.input[1]])


def refuses(message: str):
    return pytest.raises(QuantizationError, match=message)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no calibration image"),
        ([np.zeros((3, 64, 64), np.float32)], r"image 0 is float32 of shape \(3, 64, 64\)"),
        ([np.zeros((2, 3, 64, 64), np.float32)], r"takes float32 of shape \(1, 3, 64, 64\)"),
        ([np.zeros((1, 64, 64, 3), np.float32)], r"shape \(1, 64, 64, 3\)"),
        ([np.zeros((1, 3, 64, 80), np.float32)], r"shape \(1, 3, 64, 80\)"),
        ([np.zeros((1, 3, 64, 64))], "is float64"),
        ([np.zeros((1, 3, 64, 64), np.uint8)], "is uint8.*normalised"),
        (
            [np.zeros((1, 3, 64, 64), np.float32), np.full((1, 3, 64, 64), np.nan, np.float32)],
            "image 1 holds NaN",
        ),
        ([np.full((1, 3, 64, 64), np.inf, np.float32)], "infinity"),
    ],
)
def test_unfit_images_are_refused(static_model, images, message):
    with refuses(message):
        quantize(static_model, images)
    with refuses(message):
        quantize_with_accuracy_control(static_model, images, lambda candidate: 1.0, 0.5)


def test_unfit_images_for_a_dynamic_model_are_refused(export):
    with refuses(r"takes float32 of shape \(1, 3, any, any\)"):
        quantize(export(dynamic=True), [np.zeros((1, 1, 64, 64), np.float32)])
    with refuses(r"shape \(1, 3, 0, 64\)"):
        quantize(export(dynamic=True), [np.zeros((1, 3, 0, 64), np.float32)])


def test_unfit_models_are_refused(export, static_model, quantized, calibration):
    assert issubclass(QuantizationError, UserError)
    training = torch.onnx.TrainingMode.PRESERVE  # else the exporter folds batch norms itself
    with refuses("batch norms left.*reparameterize"):
        quantize(export(fold=False, training=training), calibration)
    with refuses("quantized already"):
        quantize(quantized, calibration)
    with refuses("opset 12"):
        quantize(export(opset=12), calibration)
    with refuses(r"ignored=\['nobody'\].*conv_seg"):
        quantize(static_model, calibration, ignored=["nobody"])
    with refuses("no convolution to quantize"):
        quantize(static_model, calibration, ignored=names(static_model))
    empty = onnx.ModelProto()
    empty.CopyFrom(static_model)
    del empty.graph.node[:]
    with refuses("no convolution to quantize"):
        quantize(empty, calibration)
    bytes_in = onnx.ModelProto()
    bytes_in.CopyFrom(static_model)
    bytes_in.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    with refuses("single one, float32"):
        quantize(bytes_in, calibration)


def test_model_with_shared_weights_behind_identities(static_model, calibration, validation):
    """How the exporter writes tensors that are equal."""
    model = onnx.ModelProto()
    model.CopyFrom(static_model)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type == "ConvTranspose":
            for slot in (1, 2):
                given = node.input[slot]
                node.input[slot] = f"{given}_again"
                model.graph.node.append(
                    onnx.helper.make_node("Identity", [given], [node.input[slot]])
                )
        model.graph.node.append(node)
    quantized = quantize(model, calibration)
    assert float_layers(quantized) == ()
    assert agreement(onnxruntime(quantized), onnxruntime(static_model), validation) > 0.85


class Score:
    """Stands for the mIoU: some for the float model, less where certain layers are INT8."""

    def __init__(self, cost: dict[str, float], best: float = 80.0) -> None:
        self.cost = cost
        self.best = best
        self.seen: list[bytes] = []

    def __call__(self, candidate: onnx.ModelProto) -> float:
        self.seen.append(candidate.SerializeToString())
        kept = float_layers(candidate)
        return self.best - sum(cost for name, cost in self.cost.items() if name not in kept)


def test_plain_result_is_kept_if_it_is_good_enough(static_model, calibration):
    score = Score({names(static_model)[6]: 0.5})
    found = quantize_with_accuracy_control(static_model, calibration, score, 0.5)
    assert (found.float_score, found.score, found.float_layers) == (80, 79.5, ())
    expected = quantize(static_model, calibration)
    assert found.model.SerializeToString() == expected.SerializeToString()
    assert len(score.seen) <= 4


@pytest.mark.parametrize("index", [0, 6, 14])
def test_harmful_layer_returns_to_float(static_model, calibration, validation, index):
    harmful = names(static_model)[index]
    cost = dict.fromkeys(names(static_model), 0.01) | {harmful: 5.0}
    score = Score(cost)
    found = quantize_with_accuracy_control(static_model, calibration, score, 0.5)
    # What is promised was measured on the very model that is given back.
    assert score.seen[-1] == score.seen[-2] == found.model.SerializeToString()
    assert found.float_layers == float_layers(found.model) == (harmful,)
    assert found.score == pytest.approx(80 - 0.14)
    onnx.checker.check_model(found.model, full_check=True)
    before, after = weights(equalize(static_model, calibration)), weights(found.model)
    (node,) = (node for node in convolutions(found.model) if node.name == harmful)
    for name in node.input[1:]:
        assert np.array_equal(after[name], before[name])
    reference = onnxruntime(static_model)
    for engine in (onnxruntime, openvino_cpu):
        assert agreement(engine(found.model), reference, validation) > 0.85


def test_as_many_layers_return_as_it_takes(static_model, calibration):
    layers = names(static_model)
    cost = {name: 0.1 * index for index, name in enumerate(layers)}
    found = quantize_with_accuracy_control(static_model, calibration, Score(cost), 4)
    assert found.float_layers == tuple(layers[-6:])
    assert 0 <= found.float_score - found.score <= 4


@pytest.mark.parametrize("best", [0.0, -3.0])
def test_only_differences_of_scores_count(static_model, calibration, best):
    harmful = names(static_model)[3]
    score = Score({harmful: 5.0}, best)
    found = quantize_with_accuracy_control(static_model, calibration, score, 0.5)
    assert found.float_layers == (harmful,)
    assert (found.float_score, found.score) == (best, best)


def test_ignored_layers_stay_in_float_under_control_as_well(static_model, calibration):
    layers = names(static_model)
    score = Score({layers[4]: 2.0})
    found = quantize_with_accuracy_control(
        static_model, calibration, score, 0.5, ignored=[layers[9]]
    )
    assert found.float_layers == (layers[4], layers[9])


def test_limit_out_of_reach_is_an_error(static_model, calibration):
    score = Score(dict.fromkeys(names(static_model), 1.0))
    with refuses(r"no layer can be INT8 with a score of 79\.5 .*float 80.*QARepConv"):
        quantize_with_accuracy_control(static_model, calibration, score, 0.5)


def test_limit_that_is_none_is_an_error(static_model, calibration):
    for limit in (-0.1, float("nan"), float("inf")):
        with refuses(f"max_drop={limit}"):
            quantize_with_accuracy_control(static_model, calibration, lambda candidate: 1.0, limit)


def test_score_that_is_none_is_an_error(static_model, calibration):
    with refuses("validate gave nan"):
        quantize_with_accuracy_control(
            static_model, calibration, lambda candidate: float("nan"), 0.5
        )


def test_error_of_validate_comes_through(static_model, calibration):
    def fails(candidate: onnx.ModelProto) -> float:
        if candidate is static_model:
            return 80.0
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        quantize_with_accuracy_control(static_model, calibration, fails, 0.5)


def test_promise_is_checked_on_the_model_itself(static_model, calibration):
    """A score that changes between two calls cannot be promised."""
    scores = iter([80.0, 79.9])
    with refuses("more than 0.5 below the float model's 80; allow.*same score"):
        quantize_with_accuracy_control(
            static_model, calibration, lambda candidate: next(scores, 10.0), 0.5
        )
