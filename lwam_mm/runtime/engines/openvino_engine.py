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
        self._settings = settings
        self._outputs = bundle.manifest.output
        self._model_path = bundle.model_path
        # A compiled model computes all of its outputs, so there is one for each choice of them.
        self._requests: dict[tuple[str, ...], Any] = {}
        try:
            self._model = openvino_core().read_model(bundle.model_path)
            check_signature(bundle, _ports(self._model.inputs), _ports(self._model.outputs))
            self._request(self._outputs.wanted(logits=False))
        except BundleError:
            raise
        except Exception as error:  # RuntimeError or another, depending on the version
            raise BundleError(
                f"{bundle.model_path} cannot be loaded by OpenVINO {openvino.__version__}: {error}"
            ) from error

    def __call__(self, batch: np.ndarray, *, logits: bool = True) -> Output:
        """Run what the outputs that are asked for need; the arrays are OpenVINO's own memory."""
        names = self._outputs.wanted(logits)
        try:
            request = self._request(names)
            request.infer([batch], share_outputs=True)
            found = {field: request.get_tensor(name).data for field, name in names.items()}
            return Output(**dict(logits=None) | found)
        except Exception as error:  # RuntimeError or another, depending on the version
            raise EngineError(
                f"{self._model_path} failed in OpenVINO on an input of shape {batch.shape}: {error}"
            ) from error

    def _request(self, names: dict[str, str]) -> Any:
        """Return the request that computes these outputs, compiled at its first use."""
        key = tuple(names.values())
        if key not in self._requests:
            openvino = import_openvino()
            outputs = [self._model.output(name) for name in key]
            model = openvino.Model(outputs, self._model.get_parameters())
            compiled = openvino_core().compile_model(model, "CPU", self._settings)
            self._requests[key] = compiled.create_infer_request()
        return self._requests[key]


def _ports(nodes: list[Any]) -> dict[str, Port]:
    ports = {}
    for node in nodes:
        dtype = np.dtype(node.get_element_type().to_dtype()).name
        sides = node.get_partial_shape()
        shape = tuple(side.get_length() if side.is_static else None for side in sides)
        ports[node.get_any_name()] = Port(dtype, shape)
    return ports
