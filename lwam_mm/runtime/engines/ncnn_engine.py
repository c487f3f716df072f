"""Runs bundles in ncnn, for ARM boards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lwam_mm.runtime.bundle import Bundle
from lwam_mm.runtime.engines.engine import Output
from lwam_mm.runtime.errors import BundleError, EngineError


def new_net(fp16: bool) -> Any:
    """Return an empty ``ncnn.Net``; ``fp16`` stores weights and feature maps in 16 bits."""
    import ncnn

    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = fp16
    # Sums of thousands of products need more than 11 bits.
    net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    return net


class NcnnEngine:
    """An `Engine` that uses ncnn, for NAME.param with its weights NAME.bin beside it."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        import ncnn

        manifest = bundle.manifest
        if manifest.input.kind != "tensor" or manifest.output.labels is not None:
            raise BundleError(
                f"{bundle.root}: ncnn takes a float tensor and returns logits; bundle.json says "
                f"'input.kind': {manifest.input.kind}, 'output.labels': {manifest.output.labels}. "
                "Export the bundle again"
            )
        self._model_path = bundle.model_path
        weights = self._model_path.with_suffix(".bin")
        if weights.name not in manifest.files:
            raise BundleError(f"{weights} is not listed in bundle.json: export the bundle again")
        self._ncnn = ncnn
        self._net = new_net(manifest.precision == "float16")
        if threads is not None:
            self._net.opt.num_threads = threads
        self._load(self._model_path, self._net.load_param)
        self._load(weights, self._net.load_model)
        self._input = _known(bundle, "input.name", manifest.input.name, self._net.input_names())
        self._output = _known(
            bundle, "output.logits", manifest.output.logits, self._net.output_names()
        )

    def __call__(self, batch: np.ndarray, *, logits: bool = True) -> Output:
        """Run the model; it always returns logits."""
        extractor = self._net.create_extractor()
        # Cloned, because ncnn.Mat refers to numpy's memory, which need not be aligned as its own.
        status = extractor.input(self._input, self._ncnn.Mat(batch[0]).clone())
        if status == 0:
            status, result = extractor.extract(self._output)
        if status != 0:
            raise EngineError(
                f"{self._model_path} failed in ncnn on an input of shape {batch.shape} (status "
                f"{status}): is there enough memory?"
            )
        return Output(np.array(result)[None])

    def _load(self, path: Path, load: Callable[[str], int]) -> None:
        status = load(str(path))
        if status != 0:
            raise BundleError(
                f"{path} cannot be loaded by ncnn {self._ncnn.__version__} (status {status}): "
                "export the bundle again"
            )


def _known(bundle: Bundle, field: str, name: str, names: list[str]) -> str:
    if name not in names:
        raise BundleError(
            f"{bundle.model_path}: the model has {sorted(names)}; bundle.json says {field!r}: "
            f"{name}. Export the bundle again, or correct bundle.json"
        )
    return name
