from dataclasses import replace

import numpy as np
import pytest

from lwam_mm.runtime import BundleError, EngineError, OutputSpec, Predictor, write_bundle
from lwam_mm.runtime.bundle import read_bundle
from lwam_mm.runtime.engines.ncnn_engine import NcnnEngine

# Twice its input; BinaryOp's operation 2 is a product, here with a number.
DOUBLE = "7767517\n2 2\nInput image 0 1 image\nBinaryOp double 1 1 image logits 0=2 1=1 2=2.0\n"


@pytest.fixture
def ncnn_bundle(tmp_path, new_manifest):
    """Function writing a bundle of a hand-made ncnn model; returns its folder."""

    def make(param=DOUBLE, files=("model.param", "model.bin"), **changes):
        (tmp_path / "model.param").write_text(param)
        (tmp_path / "model.bin").write_bytes(b"")
        changes = dict(engine="ncnn", model="model.param") | changes
        manifest = new_manifest(**changes)
        return write_bundle(
            tmp_path / "b", manifest, {name: tmp_path / name for name in files}
        ).root

    return make


def load(root, threads=None):
    return NcnnEngine(read_bundle(root), threads)


def test_the_model_is_run_at_any_size(ncnn_bundle):
    engine = load(ncnn_bundle())
    rng = np.random.default_rng(0)
    for size in [(32, 48), (16, 7), (32, 48)]:
        batch = rng.normal(size=(1, 3, *size)).astype(np.float32)
        output = engine(batch)
        assert output.labels is None
        np.testing.assert_allclose(output.logits, 2 * batch, rtol=1e-6)


def test_it_predicts(ncnn_bundle, picture, by_hand):
    image = picture(33, 47)
    np.testing.assert_array_equal(Predictor(ncnn_bundle())(image).labels, by_hand(image))


@pytest.mark.parametrize(("precision", "half"), [("float32", False), ("float16", True)])
def test_precision_and_threads_reach_the_engine(ncnn_bundle, precision, half):
    options = load(ncnn_bundle(precision=precision), 3)._net.opt
    assert options.use_fp16_storage is half
    assert options.use_fp16_packed is half
    assert not options.use_fp16_arithmetic
    assert not options.use_bf16_storage
    assert options.num_threads == 3


def test_a_file_that_is_no_model_is_refused(ncnn_bundle):
    with pytest.raises(BundleError, match=r"b/model\.param cannot be loaded by ncnn"):
        load(ncnn_bundle(param="junk"))


def test_weights_have_to_be_listed(ncnn_bundle):
    with pytest.raises(BundleError, match=r"model\.bin is not listed"):
        load(ncnn_bundle(files=["model.param"]))


def test_names_must_fit_the_manifest(ncnn_bundle):
    with pytest.raises(BundleError, match=r"has \['logits'\]; .*'output\.logits': y"):
        load(ncnn_bundle(output=OutputSpec("y")))


def test_frames_and_labels_are_not_for_ncnn(ncnn_bundle, new_manifest):
    frame = replace(new_manifest().input, kind="frame")
    with pytest.raises(BundleError, match=r"'input\.kind': frame"):
        load(ncnn_bundle(input=frame))


def test_a_failing_run_is_an_engine_error(ncnn_bundle):
    engine = load(ncnn_bundle())
    engine._output = "absent"
    with pytest.raises(EngineError, match=r"failed in ncnn on an input of shape \(1, 3, 8, 8\)"):
        engine(np.zeros((1, 3, 8, 8), np.float32))
