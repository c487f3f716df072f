import numpy as np
import pytest

from lwam_mm.runtime import BundleError, EngineError, read_bundle, write_bundle
from lwam_mm.runtime.engines.onnxruntime_engine import OnnxRuntimeEngine


def load(root, threads=None):
    return OnnxRuntimeEngine(read_bundle(root), threads)


def test_the_model_is_run(make_bundle):
    batch = np.random.default_rng(0).normal(size=(1, 3, 32, 48)).astype(np.float32)
    output = load(make_bundle((32, 48), scale=2.0))(batch)
    assert output.logits.dtype == np.float32
    assert output.labels is None
    np.testing.assert_allclose(output.logits, 2 * batch, rtol=1e-6)


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_threads_reach_the_session(make_bundle, threads):
    options = load(make_bundle(), threads)._session.get_session_options()
    assert options.intra_op_num_threads == (threads or 0)


def test_a_file_that_is_no_model_is_refused(tmp_path, new_manifest):
    (tmp_path / "junk").write_bytes(b"junk")
    root = write_bundle(tmp_path / "b", new_manifest(), {"model.onnx": tmp_path / "junk"}).root
    with pytest.raises(BundleError, match=r"b/model\.onnx cannot be loaded by ONNX Runtime"):
        load(root)


def test_a_failing_run_is_an_engine_error_that_names_the_model_and_the_shape(make_bundle):
    engine = load(make_bundle((32, 48)))
    with pytest.raises(EngineError, match=r"model\.onnx failed .*\(1, 3, 8, 8\)"):
        engine(np.zeros((1, 3, 8, 8), np.float32))
