from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from lwam_mm.runtime import BundleError, InputSpec, OutputSpec, read_bundle
from lwam_mm.runtime.engines.load_engine import load_engine

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(params=["onnxruntime", "openvino"])
def engine(request, monkeypatch):
    """Both engines that read ONNX files, told by their own names what a model's ports are."""
    from lwam_mm.runtime.engines import load_engine as module

    loader = module.ENGINE_LOADERS[request.param]
    monkeypatch.setitem(module.ENGINE_LOADERS, "onnxruntime", loader)


def load(root):
    return load_engine(read_bundle(root))


def test_classes_must_be_as_many_as_the_output_channels(make_bundle):
    weight = np.zeros((4, 3, 1, 1), np.float32)
    for size in [(32, 48), None]:
        root = make_bundle(size, name=f"b{size is None}", weight=weight)
        with pytest.raises(BundleError, match=r"output channels: 4; bundle\.json says 'classes'"):
            load(root)


@pytest.mark.parametrize(
    ("size", "shape", "message"),
    [
        ((32, 48), [1, 3, 48, 32], "input shape"),
        (None, [1, 3, 32, 48], "input shape"),
        ((32, 48), [2, 3, 32, 48], "input shape"),
        ((32, 48), [1, 3, "h", "w"], None),
        ((32, 48), ["n", 3, "h", "w"], None),
    ],
)
def test_the_models_size_must_fit_the_manifest(make_bundle, size, shape, message):
    root = make_bundle(size, shape=shape)
    if message is None:
        load(root)
        return
    with pytest.raises(BundleError, match=message):
        load(root)


def test_names_must_fit_the_manifest(make_bundle, new_manifest):
    base = new_manifest()
    wrong_input = replace(base, input=InputSpec("x", None, (0, 0, 0), (1, 1, 1), "pad"))
    with pytest.raises(BundleError, match=r"inputs: \['image'\].*'input\.name': x"):
        load(make_bundle(name="a", manifest=wrong_input))
    wrong_output = replace(base, output=OutputSpec("y"))
    with pytest.raises(BundleError, match=r"outputs: \['logits'\].*'output\.logits': y"):
        load(make_bundle(name="b", manifest=wrong_output))


def test_types_must_be_float32(make_bundle):
    float64 = helper.make_node("Cast", ["image"], ["logits"], to=TensorProto.DOUBLE)
    root = make_bundle(name="a", nodes=[float64], out_type=TensorProto.DOUBLE)
    with pytest.raises(BundleError, match=r"type of 'logits': float64"):
        load(root)
    float32 = helper.make_node("Cast", ["image"], ["logits"], to=TensorProto.FLOAT)
    root = make_bundle(name="b", nodes=[float32], in_type=TensorProto.UINT8)
    with pytest.raises(BundleError, match=r"input type: uint8"):
        load(root)


@pytest.mark.parametrize(
    ("node", "out_shape"),
    [
        (
            helper.make_node("MaxPool", ["image"], ["logits"], kernel_shape=[2, 2], strides=[2, 2]),
            [1, 3, 16, 24],
        ),
        (helper.make_node("ReduceMax", ["image"], ["logits"], axes=[1], keepdims=0), [1, 32, 48]),
    ],
)
def test_the_output_must_be_logits_at_the_inputs_size(make_bundle, node, out_shape):
    root = make_bundle((32, 48), nodes=[node], out_shape=out_shape)
    with pytest.raises(BundleError, match="shape of 'logits'"):
        load(root)


LABELS = OutputSpec("logits", labels="labels")


def label_nodes(dtype=TensorProto.UINT8):
    return [
        helper.make_node("Identity", ["image"], ["logits"]),
        helper.make_node("ArgMax", ["image"], ["classes"], axis=1, keepdims=0),
        helper.make_node("Cast", ["classes"], ["labels"], to=dtype),
    ]


def test_labels_are_checked_as_well(make_bundle, new_manifest):
    manifest = new_manifest((32, 48), output=LABELS)
    shape = [1, 3, 32, 48]
    output = load(
        make_bundle((32, 48), name="a", manifest=manifest, nodes=label_nodes(), labels=True)
    )(np.ones(shape, np.float32))
    assert output.labels.shape == (1, 32, 48)
    assert output.labels.dtype == np.uint8
    with pytest.raises(BundleError, match=r"outputs: \['logits'\].*'output\.labels': labels"):
        load(make_bundle((32, 48), name="b", manifest=manifest))
    nodes = label_nodes(TensorProto.INT32)
    with pytest.raises(BundleError, match="type of 'labels': int32"):
        load(
            make_bundle(
                (32, 48),
                name="c",
                manifest=manifest,
                nodes=nodes,
                labels=TensorProto.INT32,
            )
        )


def test_the_check_is_one_number(make_bundle, new_manifest):
    manifest = new_manifest((32, 48), output=OutputSpec("logits", "labels", "check"))
    with pytest.raises(BundleError, match=r"outputs: \['labels', 'logits'\].*'output\.check'"):
        load(make_bundle((32, 48), manifest=manifest, nodes=label_nodes(), labels=True))


def test_a_frame_is_bytes_with_its_channels_last(make_bundle, new_manifest):
    spec = replace(new_manifest((32, 48)).input, kind="frame")
    manifest = new_manifest((32, 48), input=spec)
    with pytest.raises(BundleError, match=r"input type: float32; .*'input\.kind': frame"):
        load(make_bundle((32, 48), name="a", manifest=manifest))
    cast = helper.make_node("Cast", ["image"], ["logits"], to=TensorProto.FLOAT)
    with pytest.raises(BundleError, match="input shape"):
        load(
            make_bundle(
                (32, 48), name="b", manifest=manifest, nodes=[cast], in_type=TensorProto.UINT8
            )
        )
