"""ONNX Runtime on the CPU."""

from typing import Any

import numpy as np

from lwam_mm.runtime.bundle import Bundle
from lwam_mm.runtime.errors import BundleError, EngineError

# ONNX Runtime's scale: 3 is "errors only".
_LOG_ERRORS_ONLY = 3


class OnnxRuntimeEngine:
    """An `Engine` on ONNX Runtime's CPU provider.

    Args:
        bundle: A verified bundle whose model is an ONNX file.
        threads: CPU threads inside one operator; None leaves it to ONNX Runtime.

    Raises:
        EngineError: ONNX Runtime is not installed.
        BundleError: The model cannot be loaded, or its inputs and outputs are not what the
            manifest says.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise EngineError(
                f"{bundle.root} needs ONNX Runtime, which cannot be imported ({error}): "
                "pip install onnxruntime"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _LOG_ERRORS_ONLY
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(bundle.model_path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own exception classes share no other base
            raise BundleError(
                f"{bundle.model_path} cannot be loaded by ONNX Runtime "
                f"{onnxruntime.__version__}: {error}"
            ) from error
        _check_signature(bundle, self._session)
        self._input = bundle.manifest.input.name
        self._output = bundle.manifest.output.name
        self._model_path = bundle.model_path

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """See `Engine.__call__`."""
        try:
            (output,) = self._session.run([self._output], {self._input: batch})
        except Exception as error:  # its own exception classes share no other base
            raise EngineError(
                f"{self._model_path} failed in ONNX Runtime on an input of shape {batch.shape}: "
                f"{error}"
            ) from error
        return output


def _check_signature(bundle: Bundle, session: Any) -> None:
    """Hold the model against the manifest, as far as its shapes are fixed."""
    manifest = bundle.manifest
    height, width = manifest.input.size or (None, None)
    inputs = {node.name: node for node in session.get_inputs()}
    outputs = {node.name: node for node in session.get_outputs()}
    if set(inputs) != {manifest.input.name}:
        _disagree(bundle, "inputs", sorted(inputs), "input.name", manifest.input.name)
    if manifest.output.name not in outputs:
        _disagree(bundle, "outputs", sorted(outputs), "output.name", manifest.output.name)
    node = inputs[manifest.input.name]
    if node.type != "tensor(float)":
        _disagree(bundle, "input type", node.type, "input.dtype", manifest.input.dtype)
    if not _fits(node.shape, (1, 3, height, width)):
        _disagree(bundle, "input shape", node.shape, "input.size", manifest.input.size)
    node = outputs[manifest.output.name]
    if node.type != "tensor(float)":
        _disagree(bundle, "output type", node.type, "output.kind", manifest.output.kind)
    if len(node.shape) == 4 and not _fits(node.shape[1:2], (len(manifest.classes),)):
        _disagree(bundle, "output channels", node.shape[1], "classes", list(manifest.classes))
    if not _fits(node.shape, (1, len(manifest.classes), height, width)):
        _disagree(bundle, "output shape", node.shape, "input.size", manifest.input.size)


def _fits(shape: list[Any], expected: tuple[int | None, ...]) -> bool:
    """Compare a model's shape with the expected one; None there is a side of any length.

    Sides that the model leaves open (a name or None) fit everything; a fixed side fits its number
    only, so that a model of fixed size is refused where the manifest promises any size.
    """
    return len(shape) == len(expected) and all(
        not isinstance(side, int) or side == want
        for side, want in zip(shape, expected, strict=True)
    )


def _disagree(bundle: Bundle, what: str, found: object, field: str, said: object) -> None:
    raise BundleError(
        f"{bundle.model_path}: the model's {what}: {found}; bundle.json says {field!r}: {said}. "
        "Export the bundle again, or correct bundle.json"
    )
