"""Loads the inference engine that a bundle names."""

from collections.abc import Callable

from lwam_mm.runtime.bundle import Bundle
from lwam_mm.runtime.engines.engine import Engine
from lwam_mm.runtime.engines.ncnn_engine import NcnnEngine
from lwam_mm.runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from lwam_mm.runtime.engines.openvino_engine import OpenVinoEngine
from lwam_mm.runtime.errors import BundleError, EngineError, SettingError

# Each imports its engine when it is called: the others may not be installed.
ENGINE_LOADERS: dict[str, Callable[[Bundle, int | None], Engine]] = {
    "onnxruntime": OnnxRuntimeEngine,
    "openvino": OpenVinoEngine,
    "ncnn": NcnnEngine,
}


def load_engine(bundle: Bundle, threads: int | None = None) -> Engine:
    """Load a bundle's model into the engine that the bundle names.

    Raises:
        BundleError: The engine is unknown, or the model is not what the manifest says.
        EngineError: The engine is not installed.
        SettingError: ``threads`` is not positive.
    """
    if threads is not None and threads < 1:
        raise SettingError(
            f"threads is {threads}: give at least 1, or None for the engine's choice"
        )
    name = bundle.manifest.engine
    if name not in ENGINE_LOADERS:
        raise BundleError(
            f"{bundle.root}: engine {name!r} is unknown to this lwam_mm, which has "
            f"{sorted(ENGINE_LOADERS)}: update lwam_mm, or export for one of these"
        )
    try:
        return ENGINE_LOADERS[name](bundle, threads)
    except ImportError as error:
        raise EngineError(
            f"{bundle.root} needs {name}, which cannot be imported ({error}): pip install {name}"
        ) from error
