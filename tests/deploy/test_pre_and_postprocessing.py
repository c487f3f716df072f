from __future__ import annotations

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from lwam_mm.deploy.pre_and_postprocessing import GraphError, add_labels, take_frames
from lwam_mm.quantization.quantize import quantize
from lwam_mm.runtime.engines.openvino_core import openvino_core

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        return self.conv(x)


class ShuffledNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4 * 2**2, 3, padding=1, stride=2)
        self.shuffle = torch.nn.PixelShuffle(2)

    def forward(self, x):
        return self.shuffle(self.conv(x))


class UnshuffledNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.unshuffle = torch.nn.PixelUnshuffle(2)
        self.conv = torch.nn.Conv2d(3 * 2**2, 4 * 2**2, 3, padding=1)
        self.shuffle = torch.nn.PixelShuffle(2)

    def forward(self, x):
        return self.shuffle(self.conv(self.unshuffle(x)))


@pytest.fixture(scope="module", params=[Net, ShuffledNet, UnshuffledNet])
def net(request):
    torch.manual_seed(0)
    return request.param().eval()


@pytest.fixture(scope="module")
def exported(net, tmp_path_factory):
    def export(size=None):
        path = tmp_path_factory.mktemp("onnx") / "model.onnx"
        axes = {0: "n", 2: "h", 3: "w"}
        torch.onnx.export(
            net,
            torch.zeros(1, 3, *(size or (32, 48))),
            path,
            input_names=["input"],
            output_names=["output"],
            opset_version=17,
            dynamo=False,
            dynamic_axes=None if size else dict(input=axes, output=axes),
        )
        return onnx.load(path)

    return export


def frame_of(height, width):
    small = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)


def by_torch(net, frame, divisor):
    rgb = torch.from_numpy(frame[..., ::-1].copy()).permute(2, 0, 1)[None].float()
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    height, width = frame.shape[:2]
    padded = torch.nn.functional.pad(
        (rgb - mean) / std, (0, -width % divisor, 0, -height % divisor)
    )
    with torch.no_grad():
        return net(padded)[:, :, :height, :width].numpy()


def run_onnxruntime(model, frame):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"frame": frame[None]})


def run_openvino(model, frame):
    core = openvino_core()
    compiled = core.compile_model(
        core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    found = compiled([frame[None]])
    return [found[port] for port in compiled.outputs]


@pytest.mark.parametrize("run", [run_onnxruntime, run_openvino])
@pytest.mark.parametrize("size", [(32, 48), (33, 47), (1, 1), (16, 17), (31, 64)])
def test_a_frame_of_any_size_is_prepared_as_mmseg_does(net, exported, run, size):
    frame = frame_of(*size)
    model = add_labels(take_frames(exported(), MEAN, STD, pad_to=16))
    logits, labels, check = run(model, frame)
    expected = by_torch(net, frame, 16)
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert labels.dtype == np.uint8
    named = [[d.dim_param for d in o.type.tensor_type.shape.dim] for o in model.graph.output]
    assert named == [["", "", "height", "width"], ["", "height", "width"], [""]]
    assert check.shape == (1,)
    assert np.isfinite(check).all()
    np.testing.assert_array_equal(labels, logits.argmax(axis=1))


@pytest.mark.parametrize("run", [run_onnxruntime, run_openvino])
def test_a_frame_of_fixed_size(net, exported, run):
    frame = frame_of(32, 48)
    model = add_labels(take_frames(exported((32, 48)), MEAN, STD))
    logits, labels, _ = run(model, frame)
    np.testing.assert_allclose(logits, by_torch(net, frame, 1), atol=1e-4)
    np.testing.assert_array_equal(labels, logits.argmax(axis=1))
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 32, 48, 3]
    shape = [d.dim_value for d in model.graph.output[1].type.tensor_type.shape.dim]
    assert shape == [1, 32, 48]


def test_labels_need_no_logits_at_full_size(net, exported):
    """Behind a pixel-shuffle there is nothing left to compute for labels and check."""
    model = add_labels(exported((32, 48)))
    readers = [node.op_type for node in model.graph.node if "output" in node.input]
    assert readers == (["Split"] if isinstance(net, Net) else [])


@pytest.mark.parametrize("run", [run_onnxruntime, run_openvino])
@pytest.mark.parametrize(("pad_to", "given"), [(None, (32, 48)), (16, (37, 29))])
def test_a_quantized_model_says_the_same_of_a_frame(exported, run, pad_to, given):
    """Weights of 8 bits are cut and put in order like floats, with the scales of their outputs."""
    calibration = np.random.default_rng(1).standard_normal((1, 3, 32, 48)).astype(np.float32)
    plain, frame = quantize(exported(None if pad_to else given), [calibration]), frame_of(*given)
    logits, labels, check = run(add_labels(take_frames(plain, MEAN, STD, pad_to)), frame)
    padded = np.zeros((1, 3, -(-given[0] // 16) * 16, -(-given[1] // 16) * 16), np.float32)
    rgb = (frame[..., ::-1] - np.float32(MEAN)) / np.float32(STD)
    padded[0, :, : given[0], : given[1]] = rgb.transpose(2, 0, 1)
    session = onnxruntime.InferenceSession(plain.SerializeToString())
    (expected,) = session.run(None, {"input": padded})
    np.testing.assert_allclose(logits, expected[..., : given[0], : given[1]], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(labels, logits.argmax(axis=1))
    assert np.isfinite(check).all()


@pytest.mark.parametrize("pad_to", [None, 16])
def test_an_unshuffle_is_moved_to_the_bytes(exported, net, pad_to):
    model = take_frames(exported(None if pad_to else (32, 48)), MEAN, STD, pad_to)
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    moved = conv.input[0] == "frame_unshuffled"
    assert moved == isinstance(net, UnshuffledNet)
    planes = [node.op_type for node in model.graph.node if node.op_type == "Gather"]
    assert planes == ([] if moved else ["Gather"])
    # ONNX Runtime would warn of what is left over.
    read = {name for node in model.graph.node for name in node.input} | {"output"}
    made = {name for node in model.graph.node for name in node.output}
    assert made | {tensor.name for tensor in model.graph.initializer} <= read


@pytest.mark.parametrize("run", [run_onnxruntime, run_openvino])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_the_check_tells_of_a_broken_model(exported, run, wrong):
    model = take_frames(exported((32, 48)), MEAN, STD)
    bias = next(t for t in model.graph.initializer if t.name == "conv.bias")
    values = np.zeros(bias.dims, np.float32)
    values[2] = wrong
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    assert not np.isfinite(run(add_labels(model), frame_of(32, 48))[2]).any()


def test_the_given_model_stays_as_it_is(exported):
    model = exported()
    before = model.SerializeToString()
    add_labels(take_frames(model, MEAN, STD, pad_to=16))
    assert model.SerializeToString() == before


def test_the_order_does_not_matter(net, exported):
    with pytest.raises(GraphError, match="outputs are"):
        take_frames(add_labels(exported()), MEAN, STD, pad_to=16)
    with pytest.raises(GraphError, match="outputs are"):
        add_labels(add_labels(exported()))


@pytest.mark.parametrize("run", [run_onnxruntime, run_openvino])
def test_of_equal_logits_the_first_class_wins(exported, run):
    """A black image through weights that are whole numbers gives many equals."""
    model = take_frames(exported((32, 48)), (0.0,) * 3, (1.0,) * 3)
    for tensor in model.graph.initializer:
        if tensor.name.startswith("conv"):
            value = np.round(2 * onnx.numpy_helper.to_array(tensor))
            tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
    logits, labels, _ = run(add_labels(model), frame_of(32, 48) // 64)
    top = np.sort(logits, axis=1)
    assert (top[:, -1] == top[:, -2]).any()
    np.testing.assert_array_equal(labels, logits.argmax(axis=1))


def identity(classes):
    node = helper.make_node("Identity", ["input"], ["output"])
    sides = [1, classes, 8, 8]
    model = helper.make_model(
        helper.make_graph(
            [node],
            "g",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, sides)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, sides)],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    return model


@pytest.mark.parametrize("classes", [1, 256])
def test_classes_have_to_fit_into_a_byte(classes):
    with pytest.raises(GraphError, match=f"has {classes} classes: .* 2 to 255"):
        add_labels(identity(classes))


@pytest.mark.parametrize("classes", [2, 255])
def test_the_fewest_and_the_most_classes(classes):
    logits = np.random.default_rng(0).normal(size=(1, classes, 8, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(add_labels(identity(classes)).SerializeToString())
    labels = session.run(["labels"], {"input": logits})[0]
    np.testing.assert_array_equal(labels, logits.argmax(axis=1))


def test_what_gives_no_logits_is_refused():
    node = helper.make_node("ReduceMax", ["input"], ["output"], axes=[1], keepdims=0)
    model = helper.make_model(
        helper.make_graph(
            [node],
            "g",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 8, 8])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    with pytest.raises(GraphError, match=r"outputs are \['output'\]: .* with_argmax=False"):
        add_labels(model)
    with pytest.raises(GraphError, match="with_argmax=False"):
        take_frames(model, MEAN, STD)
