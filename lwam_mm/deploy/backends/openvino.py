"""MMDeploy's OpenVINO backend, by OpenVINO 2026."""

from __future__ import annotations

import importlib.metadata
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdeploy.backend.base import (
    BACKEND_MANAGERS,
    BACKEND_WRAPPER,
    BaseBackendManager,
    BaseWrapper,
)
from mmdeploy.utils.timer import TimeCounter
from torch import Tensor

from lwam_mm.deploy.backends.errors import (
    BackendError,
    check_outputs,
    first_line,
    is_installed,
    require,
)
from lwam_mm.runtime.engines.openvino_core import import_openvino, openvino_core

_NAME = "openvino"


@BACKEND_MANAGERS.register(_NAME)
class OpenVINOManager(BaseBackendManager):
    """Converts ONNX to OpenVINO's own format, and runs it."""

    @classmethod
    def is_available(cls, with_custom_ops: bool = False) -> bool:
        """Whether OpenVINO is installed; it knows no custom operators."""
        return is_installed("openvino")

    @classmethod
    def get_version(cls) -> str:
        """Version of OpenVINO, or ``'None'``."""
        return importlib.metadata.version("openvino") if cls.is_available() else "None"

    @classmethod
    def to_backend(
        cls, ir_files: Sequence[str], work_dir: str, deploy_cfg: Any = None, **kwargs: Any
    ) -> list[str]:
        """Convert ONNX files to ``.xml`` and, beside it, ``.bin``.

        Weights stay float32. Shapes are those of the ONNX file, static or dynamic.

        Returns:
            The ``.xml`` path for each ONNX file: a file in ``work_dir`` that is named as it.

        Raises:
            BackendError: OpenVINO is not installed or cannot read a file.
        """
        return [_convert(Path(file), Path(work_dir)) for file in ir_files]

    @classmethod
    def build_wrapper(
        cls,
        backend_files: Sequence[str],
        device: str = "cpu",
        input_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
        deploy_cfg: Any = None,
        **kwargs: Any,
    ) -> OpenVINOWrapper:
        """Build the wrapper of one ``.xml`` file; it runs on the CPU."""
        return OpenVINOWrapper(backend_files[0], output_names)


def _convert(onnx_file: Path, folder: Path) -> str:
    require("openvino")
    # The ONNX frontend of openvino.convert_model, without its telemetry.
    model = _read(openvino_core(), onnx_file)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".openvino-") as scratch:
        unfinished = Path(scratch) / f"{onnx_file.stem}.xml"
        import_openvino().save_model(model, unfinished, compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            unfinished.with_suffix(suffix).replace(folder / f"{onnx_file.stem}{suffix}")
    return str(folder / f"{onnx_file.stem}.xml")


def _read(core: Any, path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such model file")
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise BackendError(
            f"{path}: OpenVINO cannot read this model ({first_line(error)}); export it again"
        ) from error


@BACKEND_WRAPPER.register_module(_NAME, force=True)
class OpenVINOWrapper(BaseWrapper):
    """A model in OpenVINO on the CPU, called with torch tensors.

    It computes in float32 also on CPUs with bfloat16 units, where OpenVINO would otherwise round
    to bfloat16 unasked. Dynamic shapes are taken as they come; a model of static batch size takes
    any multiple of it.

    Args:
        ir_model_file: An ``.xml`` file (its ``.bin`` beside it), or an ONNX file.
        output_names: The outputs to return; None for all.

    Raises:
        FileNotFoundError: There is no such file.
        BackendError: OpenVINO is not installed, cannot read the file, or finds no such output.
    """

    def __init__(self, ir_model_file: str, output_names: Sequence[str] | None = None) -> None:
        require("openvino")
        core = openvino_core()
        model = _read(core, Path(ir_model_file))
        try:
            self._compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        except RuntimeError as error:
            raise BackendError(
                f"{ir_model_file}: OpenVINO cannot compile this model ({first_line(error)})"
            ) from error
        known = [output.get_any_name() for output in self._compiled.outputs]
        super().__init__(check_outputs(ir_model_file, output_names, known))
        self._request = self._compiled.create_infer_request()

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the model.

        Args:
            inputs: A tensor (N, ...) by the input's name.

        Returns:
            Tensors (N, ...) by output name, on the CPU.

        Raises:
            BackendError: A name, shape or dtype is not the model's.
        """
        ((name, images),) = inputs.items()
        array, count = images.detach().cpu().numpy(), len(images)
        batch = self._batch_size() or count
        if count == 0 or count % batch:
            raise BackendError(f"the model takes {batch} images at a time, {count} were given")
        results = [
            self._execute(name, array[start : start + batch]) for start in range(0, count, batch)
        ]
        found = {}
        for output in self.output_names:
            parts = [torch.from_numpy(result[output]) for result in results]
            # Logits of a large image weigh as much as all weights: no copy where none is needed.
            found[output] = parts[0] if len(parts) == 1 else torch.cat(parts)
        return found

    def _batch_size(self) -> int | None:
        dimension = self._compiled.inputs[0].partial_shape[0]
        return dimension.get_length() if dimension.is_static else None

    @TimeCounter.count_time(_NAME)
    def _execute(self, name: str, images: np.ndarray) -> Any:
        try:
            return self._request.infer({name: images})
        except (RuntimeError, KeyError, ValueError) as error:
            expected = {i.get_any_name(): str(i.partial_shape) for i in self._compiled.inputs}
            raise BackendError(
                f"OpenVINO refuses the input {name!r}: {images.dtype} of shape {images.shape}; the "
                f"model takes {expected} ({first_line(error)})"
            ) from error
