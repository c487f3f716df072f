"""Our deploy configs: which there are, and the size of the model that each asks for."""

from __future__ import annotations

import importlib.util
import platform

from mmengine.config import Config

from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder

BACKENDS = ("onnxruntime", "openvino", "ncnn", "ncnn-fp16")
"""Backends whose bundles can be written; ``configs/deploy`` has configs for each."""


class ExportError(UserError, RuntimeError):
    """A model cannot be exported as requested."""


def default_backend() -> str:
    """Name the fastest engine installed: OpenVINO on x86 processors, else ONNX Runtime."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return "openvino" if x86 and importlib.util.find_spec("openvino") else "onnxruntime"


def load_deploy_config(backend: str, size: tuple[int, int] | None) -> Config:
    """Load the deploy config of a backend.

    Args:
        backend: One of :data:`BACKENDS`.
        size: Height and width of the model in pixels; None for a model that takes any size.

    Raises:
        ExportError: There is no such backend.
    """
    if backend not in BACKENDS:
        raise ExportError(f"backend {backend!r}: choose one of {', '.join(BACKENDS)}")
    kind = "static-256x256" if size else "dynamic"
    config = Config.fromfile(configs_folder() / "deploy" / f"segmentation_{backend}_{kind}.py")
    if size:
        config.onnx_config.input_shape = [size[1], size[0]]
    return config


def model_size(deploy_config: Config) -> tuple[int, int] | None:
    """Return the height and width that a deploy config fixes; None for a model of any size.

    Raises:
        ExportError: The deploy config fixes no size and allows no other.
    """
    if deploy_config.onnx_config.get("dynamic_axes"):
        return None
    shape = deploy_config.onnx_config.input_shape
    if shape is None:
        raise ExportError(
            f"{deploy_config.filename}: onnx_config has neither input_shape nor dynamic_axes; set "
            "one of them"
        )
    return shape[1], shape[0]
