"""From a config and a checkpoint to bundles to measure; without the gate, which needs data."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from mmdeploy.apis import torch2onnx
from mmdeploy.backend.base import get_backend_manager
from mmdeploy.utils import get_root_logger
from mmengine.config import Config

import lwam_mm.deploy  # noqa: F401  registers our backends over MMDeploy's
from lwam_mm.deploy.bundle_writer import Packer
from lwam_mm.deploy.exporter import load_deploy_config
from lwam_mm.models.input_size import STRIDE
from lwam_mm.quantization.quantize import quantize
from lwam_mm.quantization.silent_nncf import import_nncf, quiet_nncf
from lwam_mm.runtime import Bundle, InputSpec, Manifest, OutputSpec, write_bundle
from lwam_mm.runtime.engines.openvino_core import openvino_core
from lwam_mm.runtime.engines.telemetry import no_telemetry

_ONNX_FILE = "model.onnx"


class Exporter:
    """Exports one network at one size through MMDeploy.

    Args:
        config: the segmentor's config.
        checkpoint: its weights.
        classes: class names.
        folder: an empty folder to write to.
        size: height and width in pixels; None for a model of any size.
        halo: of a model of any size, for its tiles; see ``InputSpec``.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: Path,
        classes: Sequence[str],
        folder: Path,
        size: int | None,
        halo: int | None = None,
    ) -> None:
        self._config, self._checkpoint, self._classes = config, checkpoint, tuple(classes)
        self._folder, self._size, self._halo = folder, size, halo
        folder.mkdir(parents=True)

    def to_onnx(self) -> onnx.ModelProto:
        """Export the folded net: a normalised tensor in, logits at full size out."""
        get_root_logger().setLevel(logging.ERROR)
        example = (self._size,) * 2 if self._size else (8 * STRIDE, 12 * STRIDE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, which is how MMDeploy exports
            torch2onnx(
                np.zeros((*example, 3), np.uint8),
                str(self._folder),
                _ONNX_FILE,
                self._deploy_config("onnxruntime"),
                self._config,
                str(self._checkpoint),
                "cpu",
            )
        return onnx.load(self._folder / _ONNX_FILE)

    def spec(self) -> InputSpec:
        """Describe the plain export's input."""
        preprocessor = self._config.model.data_preprocessor
        return InputSpec(
            name="input",
            size=self._size and (self._size, self._size),
            mean=tuple(map(float, preprocessor.mean)),
            std=tuple(map(float, preprocessor.std)),
            resize="stretch" if self._size else "pad",
            size_divisor=STRIDE,
            halo=self._halo,
        )

    def pack(self, model: onnx.ModelProto, backend: str, precision: str) -> Bundle:
        """Write a plain export as a bundle that takes a normalised tensor and gives logits.

        Args:
            model: the export, in float or quantized.
            backend: one of ``lwam_mm.deploy.exporter.BACKENDS``.
            precision: ``"float32"``, ``"float16"`` or ``"int8"``.
        """
        source = self._scratch(backend, precision) / _ONNX_FILE
        onnx.save(model, source)
        files = [source]
        if backend != "onnxruntime":
            deploy_config = self._deploy_config(backend)
            main = Path(
                get_backend_manager(deploy_config.backend_config.type).to_backend(
                    ir_files=[str(source)], work_dir=str(source.parent), deploy_cfg=deploy_config
                )[0]
            )
            files = [main, main.with_suffix(".bin")]
        return self._write(source.parent / "plain", self._manifest(backend, precision), files)

    def pack_frames(self, model: onnx.ModelProto, backend: str, precision: str) -> Bundle:
        """Write a plain export as ``tools/deploy.py`` does: frames in, labels beside the logits."""
        folder = self._scratch(backend, f"{precision}-frames")
        manifest = self._manifest(backend, precision)
        packer = Packer(manifest, self._deploy_config(backend), folder)
        return packer.pack(model, "INT8" if precision == "int8" else "exported")

    def quantize(self, model: onnx.ModelProto, images: Sequence[np.ndarray]) -> onnx.ModelProto:
        """Quantize our student's export; see :func:`lwam_mm.quantization.quantize.quantize`."""
        return quantize(model, images)

    def pack_peer_int8(
        self, model: onnx.ModelProto, images: Sequence[np.ndarray], transformer: bool
    ) -> Bundle:
        """Quantize any network as NNCF does by default and write it for OpenVINO."""
        with no_telemetry():
            import openvino

        nncf = import_nncf()
        folder = self._scratch("openvino", "int8-peer")
        onnx.save(model, folder / _ONNX_FILE)
        plain = openvino_core().read_model(folder / _ONNX_FILE)
        with quiet_nncf():
            quantized = nncf.quantize(
                plain,
                nncf.Dataset(list(images)),
                subset_size=len(images),
                model_type=nncf.ModelType.TRANSFORMER if transformer else None,
            )
        main = folder / "model.xml"
        openvino.save_model(quantized, main, compress_to_fp16=False)
        files = [main, main.with_suffix(".bin")]
        return self._write(folder / "plain", self._manifest("openvino", "int8"), files)

    def _deploy_config(self, backend: str) -> Config:
        deploy_config = load_deploy_config(backend, dynamic=self._size is None)
        if self._size:
            deploy_config.onnx_config.input_shape = [self._size, self._size]
        return deploy_config

    def _manifest(self, backend: str, precision: str) -> Manifest:
        return Manifest(
            classes=self._classes,
            palette=tuple((index, index, index) for index in range(len(self._classes))),
            engine=backend.removesuffix("-fp16"),
            precision=precision,
            model=_ONNX_FILE,
            input=self.spec(),
            output=OutputSpec(logits="output"),
            provenance=dict(purpose="benchmark, not held against the gate"),
        )

    def _scratch(self, *names: Any) -> Path:
        folder = self._folder / "-".join(names)
        folder.mkdir()
        return folder

    def _write(self, out: Path, manifest: Manifest, files: Sequence[Path]) -> Bundle:
        manifest = replace(manifest, model=files[0].name)
        return write_bundle(out, manifest, {file.name: file for file in files})
