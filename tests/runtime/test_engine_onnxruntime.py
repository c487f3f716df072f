from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from lwam_mm.runtime import (
    BundleError,
    EngineError,
    InputSpec,
    OutputSpec,
    read_bundle,
    write_bundle,
)
from lwam_mm.runtime.engine_onnxruntime import OnnxRuntimeEngine


def load(root, threads=None):
    return OnnxRuntimeEngine(read_bundle(root), threads)


def test_the_model_is_run(make_bundle):
    batch = np.random.default_rng(0).normal(size=(1, 3, 32, 48)).astype(np.float32)
    output = load(make_bundle((32, 48), scale=2.0))(batch)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, 2 * batch, rtol=1e-6)


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_threads_reach_the_session(make_bundle, threads):
    options = load(make_bundle(), threads)._session.get_session_options()
    assert options.intra_op_num_threads == (threads or 0)


def test_a_file_that_is_no_model_is_refused(tmp_path, new_manifest):
    (tmp_path / "junk").write_bytes(b"junk")
    root = write_bundle(tmp_path / "b", new_manifest(), {"model.onnx": tmp_path / "junk"}).root
    with pytest.raises(BundleError, match=r"b/model\.onnx cannot be loaded by ONNX Runtime"):
        load(root)


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
    with pytest.raises(BundleError, match=r"outputs: \['logits'\].*'output\.name': y"):
        load(make_bundle(name="b", manifest=wrong_output))


def test_types_must_be_float32(make_bundle):
    float64 = helper.make_node("Cast", ["image"], ["logits"], to=TensorProto.DOUBLE)
    root = make_bundle(name="a", nodes=[float64], out_type=TensorProto.DOUBLE)
    with pytest.raises(BundleError, match=r"output type: tensor\(double\)"):
        load(root)
    float32 = helper.make_node("Cast", ["image"], ["logits"], to=TensorProto.FLOAT)
    root = make_bundle(name="b", nodes=[float32], in_type=TensorProto.UINT8)
    with pytest.raises(BundleError, match=r"input type: tensor\(uint8\)"):
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
    with pytest.raises(BundleError, match="output shape"):
        load(root)


def test_a_failing_run_is_an_engine_error_that_names_the_model_and_the_shape(make_bundle):
    engine = load(make_bundle((32, 48)))
    with pytest.raises(EngineError, match=r"model\.onnx failed .*\(1, 3, 8, 8\)"):
        engine(np.zeros((1, 3, 8, 8), np.float32))
