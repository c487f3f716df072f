"""Turns exported ONNX models into bundles of one backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from mmdeploy.backend.base import get_backend_manager
from mmengine.config import Config

from lwam_mm.deploy.gate import INT8, GateReport
from lwam_mm.deploy.pre_and_postprocessing import FRAME, LABELS, add_labels, take_frames
from lwam_mm.runtime import Bundle, InputSpec, Manifest, OutputSpec, write_bundle

_STEM = "model"


class Packer:
    """Writes bundles into a scratch folder.

    For ONNX Runtime and OpenVINO the graph takes a decoded frame and gives labels beside the
    logits; ncnn has no operators for bytes, so there the runtime does both.

    Args:
        manifest: what all the bundles share; its input and output are those of the plain export, a
            tensor in and logits out.
        deploy_config: the deploy config.
        folder: where to write.
    """

    def __init__(self, manifest: Manifest, deploy_config: Config, folder: Path) -> None:
        self._manifest = manifest
        self._deploy_config = deploy_config
        self._folder = folder

    @property
    def tensor_input(self) -> InputSpec:
        """The plain export's input."""
        return self._manifest.input

    def note(self, provenance: dict[str, Any]) -> None:
        """Add to how the bundles were made."""
        self._manifest = replace(
            self._manifest, provenance={**self._manifest.provenance, **provenance}
        )

    def pack(self, model: onnx.ModelProto, name: str) -> Bundle:
        """Write a plain export, float or INT8, as a bundle; one of the same name is replaced."""
        manifest = self._manifest
        engine = manifest.engine
        half = self._deploy_config.backend_config.get("precision") == "FP16"
        precision = "int8" if name == INT8 else "float16" if half else "float32"
        if engine != "ncnn":
            spec = manifest.input
            model = take_frames(
                model, spec.mean, spec.std, None if spec.size else spec.size_divisor
            )
            model = add_labels(model)
            manifest = replace(
                manifest,
                input=replace(spec, name=FRAME, kind="frame"),
                output=OutputSpec(manifest.output.logits, labels=LABELS),
            )
        source = self._folder / f"{_STEM}.onnx"
        onnx.save(model, source)
        files = [source] if engine == "onnxruntime" else self._convert(source, engine)
        return write_bundle(
            self._folder / name,
            replace(manifest, precision=precision, model=files[0].name),
            {file.name: file for file in files},
            overwrite=True,
        )

    def finished(self, manifest: Manifest, report: GateReport) -> Manifest:
        """Return a packed bundle's manifest with all that is known in the end."""
        return replace(
            manifest,
            provenance=self._manifest.provenance,
            figures=dict(gate=report.to_json()),
        )

    def _convert(self, source: Path, engine: str) -> list[Path]:
        paths = get_backend_manager(engine).to_backend(
            ir_files=[str(source)],
            work_dir=str(self._folder),
            deploy_cfg=self._deploy_config,
        )
        main = Path(paths[0])
        return [main, main.with_suffix(".bin")]
