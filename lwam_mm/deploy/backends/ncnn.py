"""MMDeploy's ncnn backend, based on PyPI's ``pnnx`` (conversion) and ``ncnn`` (inference)."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from mmdeploy.backend.base import (
    BACKEND_MANAGERS,
    BACKEND_WRAPPER,
    BaseBackendManager,
    BaseWrapper,
)
from mmdeploy.utils import get_backend_config
from mmdeploy.utils.timer import TimeCounter
from torch import Tensor

from lwam_mm.deploy.backends.errors import BackendError, check_outputs, is_installed, require
from lwam_mm.deploy.backends.ncnn_int8 import (
    QuantizedConvolution,
    is_quantized,
    take_out_quantizers,
    write_int8,
)
from lwam_mm.deploy.backends.ncnn_sizes import with_fixed_sizes
from lwam_mm.runtime.engines.ncnn_engine import new_net

_NAME = "ncnn"
_FP16 = {"FP32": False, "FP16": True}


@BACKEND_MANAGERS.register(_NAME)
class NcnnManager(BaseBackendManager):
    """Converts ONNX to ncnn's own format, and runs it.

    ``backend_config.precision`` in the deploy config is ``'FP32'`` (the default) or ``'FP16'``:
    weights and feature maps are then stored in 16 bits on processors that can, and sums are still
    float32.
    """

    @classmethod
    def is_available(cls, with_custom_ops: bool = False) -> bool:
        """Whether ncnn and its converter are installed; there are no custom operators."""
        return is_installed("ncnn", "pnnx") and not with_custom_ops

    @classmethod
    def get_version(cls) -> str:
        """Version of ncnn, or ``'None'``."""
        return importlib.metadata.version("ncnn") if is_installed("ncnn") else "None"

    @classmethod
    def to_backend(
        cls, ir_files: Sequence[str], work_dir: str, deploy_cfg: Any, **kwargs: Any
    ) -> list[str]:
        """Convert ONNX files to ``.param`` and ``.bin``.

        Inputs and outputs keep the names that they have in the ONNX file. ncnn fixes no sizes: the
        result takes every size that the network takes, whatever the ONNX file says. Convolutions
        that NNCF quantized are computed in 8 bits.

        Returns:
            The ``.param`` and the ``.bin`` path for each ONNX file, one after the other: files in
            ``work_dir`` that are named as the ONNX file.

        Raises:
            FileNotFoundError: There is no such ONNX file.
            BackendError: A package is not installed, the model has an operator that ncnn lacks,
                or is quantized and not made of convolutions alone, or ``precision`` is unknown.
        """
        fp16 = _wants_fp16(deploy_cfg)
        files = (_convert(Path(file), Path(work_dir), fp16) for file in ir_files)
        return [str(path) for pair in files for path in pair]

    @classmethod
    def build_wrapper(
        cls,
        backend_files: Sequence[str],
        device: str = "cpu",
        input_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
        deploy_cfg: Any = None,
        **kwargs: Any,
    ) -> NcnnWrapper:
        """Build the wrapper of a ``.param`` and a ``.bin`` file; it runs on the CPU."""
        fp16 = deploy_cfg is not None and _wants_fp16(deploy_cfg)
        return NcnnWrapper(backend_files[0], backend_files[1], output_names, fp16=fp16)


def _wants_fp16(deploy_config: Any) -> bool:
    precision = get_backend_config(deploy_config).get("precision", "FP32")
    if precision not in _FP16:
        raise BackendError(
            f"backend_config.precision is {precision!r}; ncnn runs here with {' or '.join(_FP16)}"
        )
    return _FP16[precision]


def _convert(onnx_file: Path, folder: Path, fp16: bool) -> tuple[Path, Path]:
    require("ncnn", "pnnx")
    import pnnx

    if not onnx_file.is_file():
        raise FileNotFoundError(f"{onnx_file}: there is no such model file")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".ncnn-") as scratch:
        # pnnx leaves seven more files beside the model that it is given.
        model = Path(scratch) / "model.onnx"
        quantized = _prepare(onnx_file, model)
        done = subprocess.run(
            [pnnx.EXEC_PATH, model.name, f"fp16={int(fp16)}"],
            cwd=scratch,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        param, weights = (model.with_suffix(f".ncnn{suffix}") for suffix in (".param", ".bin"))
        if done.returncode or not (param.is_file() and weights.is_file()):
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise BackendError(
                f"{onnx_file}: pnnx cannot convert this model; it ended with status "
                f"{done.returncode} and said: {said}"
            )
        _restore_names(param, onnx.load(model, load_external_data=False).graph)
        if quantized:
            write_int8(param, weights, quantized)
        try:
            _load(param, weights, fp16)
        except BackendError as error:
            raise BackendError(f"{onnx_file}: has an operator that ncnn lacks ({error})") from error
        pair = folder / f"{onnx_file.stem}.param", folder / f"{onnx_file.stem}.bin"
        weights.replace(pair[1])
        param.replace(pair[0])
    return pair


def _prepare(source: Path, target: Path) -> Sequence[QuantizedConvolution]:
    """Copy a model as pnnx takes it, in float and of fixed sizes; return its INT8 convolutions."""
    try:
        model = onnx.load(source)
    except DecodeError:
        shutil.copy(source, target)  # pnnx says what it makes of it
        return ()
    convolutions: Sequence[QuantizedConvolution] = ()
    if is_quantized(model):
        model, convolutions = take_out_quantizers(model)
    onnx.save(with_fixed_sizes(model), target)
    return convolutions


def _restore_names(param: Path, graph: onnx.GraphProto) -> None:
    """Name inputs and outputs in a ``.param`` file as ONNX does; pnnx calls them in0 and out0."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in weights]
    outputs = [value.name for value in graph.output]
    names = {f"in{index}": name for index, name in enumerate(inputs)}
    names |= {f"out{index}": name for index, name in enumerate(outputs)}
    lines = param.read_text().splitlines()
    for index, line in enumerate(lines[2:], 2):  # after a magic number and the counts
        kind, layer, bottoms, tops, *rest = line.split()
        blobs = int(bottoms) + int(tops)
        rest[:blobs] = [names.get(blob, blob) for blob in rest[:blobs]]
        lines[index] = " ".join([kind, names.get(layer, layer), bottoms, tops, *rest])
    param.write_text("\n".join(lines) + "\n")


def _load(param: Path, weights: Path, fp16: bool) -> Any:
    net = new_net(fp16)
    for path, load in ((param, net.load_param), (weights, net.load_model)):
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such model file")
        if load(str(path)) != 0:
            raise BackendError(f"{path}: ncnn cannot read this file; convert the model again")
    return net


@BACKEND_WRAPPER.register_module(_NAME, force=True)
class NcnnWrapper(BaseWrapper):
    """A model in ncnn on the CPU, called with torch tensors; images are run one by one.

    Args:
        param_file: The network.
        bin_file: Its weights.
        output_names: The outputs to return; None for all.
        fp16: Store weights and feature maps in 16 bits where the processor can.

    Raises:
        FileNotFoundError: There is no such file.
        BackendError: ncnn is not installed, cannot read a file, or finds no such output.
    """

    def __init__(
        self,
        param_file: str,
        bin_file: str,
        output_names: Sequence[str] | None = None,
        *,
        fp16: bool = False,
    ) -> None:
        require("ncnn")
        net = _load(Path(param_file), Path(bin_file), fp16)
        super().__init__(check_outputs(param_file, output_names, net.output_names()))
        self._net = net

    @staticmethod
    def get_backend_file_count() -> int:
        """Return 2: the network and its weights."""
        return 2

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the model.

        Args:
            inputs: A tensor (N, C, H, W) by the input's name.

        Returns:
            float32 tensors (N, C, H, W) by output name, on the CPU.

        Raises:
            BackendError: The model has no such input, or cannot run with what is given.
        """
        ((name, images),) = inputs.items()
        array = np.ascontiguousarray(images.detach().cpu().numpy(), np.float32)
        results = [self._execute(name, image) for image in array]
        return {
            name: torch.stack([result[name] for result in results]) for name in self.output_names
        }

    @TimeCounter.count_time(_NAME)
    def _execute(self, name: str, image: np.ndarray) -> dict[str, Tensor]:
        import ncnn

        extractor = self._net.create_extractor()
        if extractor.input(name, ncnn.Mat(image)) != 0:
            known = ", ".join(self._net.input_names())
            raise BackendError(f"the model has no input {name}, only {known}")
        found = {}
        for output in self.output_names:
            status, mat = extractor.extract(output)
            if status != 0 or mat.empty():
                raise BackendError(f"ncnn cannot run the model on an input of shape {image.shape}")
            found[output] = torch.from_numpy(np.array(mat))
        return found
