"""Engines that can leave out the logits do so; the labels stay the same."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from lwam_mm.deploy.pre_and_postprocessing import add_labels
from lwam_mm.runtime import OutputSpec, Predictor, read_bundle, write_bundle
from lwam_mm.runtime.engines.load_engine import ENGINE_LOADERS

SPEC = OutputSpec("logits", "labels", "check")


@pytest.fixture(params=["onnxruntime", "openvino"])
def bundle(request, make_bundle, tmp_path):
    """A bundle whose graph has labels and a check."""
    plain = read_bundle(make_bundle((32, 48)))
    path = tmp_path / "labelled.onnx"
    onnx.save(add_labels(onnx.load(plain.model_path)), path)
    manifest = replace(plain.manifest, engine=request.param, output=SPEC)
    return write_bundle(tmp_path / "labelled", manifest, {"model.onnx": path})


def test_all_outputs_or_labels_and_check(bundle):
    batch = np.random.default_rng(0).normal(size=(1, 3, 32, 48)).astype(np.float32)
    engine = ENGINE_LOADERS[bundle.manifest.engine](bundle, 1)
    short = engine(batch, logits=False)
    labels, check = short.labels.copy(), short.check.copy()
    whole = engine(batch)
    assert short.logits is None
    np.testing.assert_array_equal(labels, whole.logits.argmax(axis=1))
    np.testing.assert_array_equal(labels, whole.labels)
    np.testing.assert_allclose(check, whole.check)
    np.testing.assert_allclose(check, [batch[..., ::61, ::61].sum()], rtol=1e-5)


def test_the_predictor_gives_the_same_either_way(bundle, picture):
    predictor = Predictor(bundle.root)
    image = picture(32, 48)
    labels = predictor(image).labels
    np.testing.assert_array_equal(labels, predictor(image, probabilities=True).labels)
    np.testing.assert_array_equal(labels, predictor.logits(image).argmax(axis=0))


@pytest.mark.parametrize("bundle", ["openvino"], indirect=True)
def test_openvino_compiles_the_logits_only_when_they_are_asked_for(bundle):
    engine = ENGINE_LOADERS["openvino"](bundle, 1)
    assert list(engine._requests) == [("labels", "check")]
    engine(np.zeros((1, 3, 32, 48), np.float32))
    assert len(engine._requests) == 2
