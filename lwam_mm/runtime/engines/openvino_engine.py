"""Runs bundles in OpenVINO on Intel and ARM processors."""

from typing import Any

import numpy as np

from lwam_mm.runtime.bundle import Bundle
from lwam_mm.runtime.engines.engine import Output
from lwam_mm.runtime.engines.openvino_core import import_openvino, openvino_core
from lwam_mm.runtime.engines.signature import Port, check_signature
from lwam_mm.runtime.errors import BundleError, EngineError


class OpenVinoEngine:
    """An `Engine` that uses OpenVINO's CPU plugin, for an OpenVINO IR or an ONNX file."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        openvino = import_openvino()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            # By default OpenVINO computes in bfloat16 where the processor can, so that the result
            # would differ from that of the machine that checked the bundle.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            model = openvino_core().read_model(bundle.model_path)
            compiled = openvino_core().compile_model(model, "CPU", settings)
        except Exception as error:  # RuntimeError or another, depending on the version
            raise BundleError(
                f"{bundle.model_path} cannot be loaded by OpenVINO {openvino.__version__}: {error}"
            ) from error
        check_signature(bundle, _ports(model.inputs), _ports(model.outputs))
        self._request = compiled.create_infer_request()
        self._outputs = bundle.manifest.output.names
        self._model_path = bundle.model_path

    def __call__(self, batch: np.ndarray) -> Output:
        """Run the model; the arrays are OpenVINO's own memory."""
        try:
            self._request.infer([batch], share_outputs=True)
            return Output(*(self._request.get_tensor(name).data for name in self._outputs))
        except Exception as error:  # RuntimeError or another, depending on the version
            raise EngineError(
                f"{self._model_path} failed in OpenVINO on an input of shape {batch.shape}: {error}"
            ) from error


def _ports(nodes: list[Any]) -> dict[str, Port]:
    ports = {}
    for node in nodes:
        dtype = np.dtype(node.get_element_type().to_dtype()).name
        sides = node.get_partial_shape()
        shape = tuple(side.get_length() if side.is_static else None for side in sides)
        ports[node.get_any_name()] = Port(dtype, shape)
    return ports
