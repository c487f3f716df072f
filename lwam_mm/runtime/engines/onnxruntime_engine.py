"""Runs bundles in ONNX Runtime on the CPU."""

from typing import Any

import numpy as np

from lwam_mm.runtime.bundle import Bundle
from lwam_mm.runtime.engines.engine import Output
from lwam_mm.runtime.engines.signature import Port, check_signature
from lwam_mm.runtime.errors import BundleError, EngineError

_LOG_ERRORS_ONLY = 3  # on ONNX Runtime's scale

_DTYPES = {"float": "float32", "double": "float64"}  # the others are called as in numpy


class OnnxRuntimeEngine:
    """An `Engine` that uses ONNX Runtime's CPU provider."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = _LOG_ERRORS_ONLY
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(bundle.model_path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exception classes have no other common base
            raise BundleError(
                f"{bundle.model_path} cannot be loaded by ONNX Runtime "
                f"{onnxruntime.__version__}: {error}"
            ) from error
        check_signature(
            bundle, _ports(self._session.get_inputs()), _ports(self._session.get_outputs())
        )
        self._input = bundle.manifest.input.name
        self._outputs = bundle.manifest.output
        self._model_path = bundle.model_path

    def __call__(self, batch: np.ndarray, *, logits: bool = True) -> Output:
        """Run what the outputs that are asked for need of the model."""
        names = self._outputs.wanted(logits)
        try:
            found = self._session.run(list(names.values()), {self._input: batch})
            return Output(**dict(logits=None) | dict(zip(names, found, strict=True)))
        except Exception as error:  # its exception classes have no other common base
            raise EngineError(
                f"{self._model_path} failed in ONNX Runtime on an input of shape {batch.shape}: "
                f"{error}"
            ) from error


def _ports(nodes: list[Any]) -> dict[str, Port]:
    ports = {}
    for node in nodes:
        dtype = node.type.removeprefix("tensor(").removesuffix(")")
        shape = (side if isinstance(side, int) else None for side in node.shape)
        ports[node.name] = Port(_DTYPES.get(dtype, dtype), tuple(shape))
    return ports
