import os

import numpy as np
import pytest

from lwam_mm.runtime import BundleError, EngineError, read_bundle, write_bundle
from lwam_mm.runtime.engines.openvino_engine import OpenVinoEngine


def load(root, threads=None):
    return OpenVinoEngine(read_bundle(root), threads)


def compiled_model(engine):
    (request,) = engine._requests.values()
    return request.get_compiled_model()


def test_the_model_is_run(make_bundle):
    batch = np.random.default_rng(0).normal(size=(1, 3, 32, 48)).astype(np.float32)
    output = load(make_bundle((32, 48), scale=2.0))(batch)
    assert output.logits.dtype == np.float32
    assert output.labels is None
    np.testing.assert_allclose(output.logits, 2 * batch, rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_reach_the_engine(make_bundle, threads):
    compiled = compiled_model(load(make_bundle(), threads))
    assert compiled.get_property("INFERENCE_NUM_THREADS") == min(
        threads, len(os.sched_getaffinity(0))
    )


def test_it_computes_in_float32_whatever_the_processor_offers(make_bundle):
    compiled = compiled_model(load(make_bundle()))
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


def test_one_model_takes_images_of_any_size_in_any_order(make_bundle):
    engine = load(make_bundle(scale=2.0))
    rng = np.random.default_rng(0)
    for size in [(16, 32), (48, 16), (16, 32)]:
        batch = rng.normal(size=(1, 3, *size)).astype(np.float32)
        np.testing.assert_allclose(engine(batch).logits, 2 * batch, rtol=1e-6)


def test_a_file_that_is_no_model_is_refused(tmp_path, new_manifest):
    (tmp_path / "junk").write_bytes(b"junk")
    root = write_bundle(tmp_path / "b", new_manifest(), {"model.onnx": tmp_path / "junk"}).root
    with pytest.raises(BundleError, match=r"b/model\.onnx cannot be loaded by OpenVINO"):
        load(root)


def test_a_failing_run_is_an_engine_error_that_names_the_model_and_the_shape(make_bundle):
    engine = load(make_bundle((32, 48)))
    with pytest.raises(EngineError, match=r"model\.onnx failed .*\(1, 3, 8, 8\)"):
        engine(np.zeros((1, 3, 8, 8), np.float32))
