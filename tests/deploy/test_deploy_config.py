from __future__ import annotations

import pytest

from lwam_mm.deploy import deploy_config
from lwam_mm.deploy.deploy_config import ExportError, load_deploy_config, model_size


@pytest.mark.parametrize("backend", deploy_config.BACKENDS)
@pytest.mark.parametrize("size", [None, (96, 128)])
def test_the_config_of_each_backend_has_the_size_asked_for(backend, size):
    config = load_deploy_config(backend, size)
    assert model_size(config) == size
    assert config.backend_config.type == backend.removesuffix("-fp16")


def test_a_config_without_any_size_is_refused():
    config = load_deploy_config("openvino", (96, 128))
    config.onnx_config.input_shape = None
    with pytest.raises(ExportError, match="neither input_shape nor dynamic_axes"):
        model_size(config)


def test_an_unknown_backend_is_refused_with_those_that_are_there():
    with pytest.raises(ExportError, match="'abacus': choose one of onnxruntime, openvino"):
        load_deploy_config("abacus", (64, 64))


def test_without_openvino_or_x86_the_default_is_onnx_runtime(monkeypatch):
    monkeypatch.setattr(deploy_config.platform, "machine", lambda: "aarch64")
    assert deploy_config.default_backend() == "onnxruntime"
    monkeypatch.setattr(deploy_config.platform, "machine", lambda: "x86_64")
    assert deploy_config.default_backend() == "openvino"
    monkeypatch.setattr(deploy_config.importlib.util, "find_spec", lambda name: None)
    assert deploy_config.default_backend() == "onnxruntime"
