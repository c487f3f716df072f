"""Makes what the rows measure: networks, exports and bundles, each once and only if asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from mmengine.config import Config

from lwam_mm.deploy.deploy_config import load_deploy_config
from lwam_mm.deploy.exporter import Exporter
from lwam_mm.lab.benchmark.models import count, write_random_weights
from lwam_mm.lab.benchmark.pictures import draw_frame, draw_layers
from lwam_mm.quantization.calibration import calibration_images
from lwam_mm.quantization.quantize import quantize
from lwam_mm.runtime import Bundle, read_image
from lwam_mm.runtime.pre_and_postprocessing import to_batch

_LAYERS = 4


class Network:
    """A segmentor, its weights, and what it weighs.

    Args:
        config: its config.
        checkpoint: its weights; drawn at random if None.
        pictures: drawn layers of the size to measure at.
        folder: an empty folder to write to.
        size: height and width in pixels to measure at.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: Path | None,
        pictures: Sequence[Path],
        folder: Path,
        size: int,
    ) -> None:
        self.config, self.trained = config, checkpoint is not None
        self.pictures, self.folder, self.size = list(pictures), folder, size
        self._given = checkpoint
        folder.mkdir(parents=True)

    @cached_property
    def checkpoint(self) -> Path:
        """Its weights."""
        if self._given is not None:
            return self._given
        path = self.folder / "random.pth"
        write_random_weights(self.config, self.pictures, path)
        return path

    @cached_property
    def config_file(self) -> Path:
        """Its config, for another process."""
        path = self.folder / "config.py"  # JSON would make lists of tuples
        self.config.dump(path)
        return path

    def count(self, *, folded: bool) -> tuple[int, int]:
        """Count parameters and multiply-accumulates; see ``models.count``."""
        return count(self.config, self.size, folded=folded)

    def exporter(
        self, classes: Sequence[str], backend: str = "openvino", *, dynamic: bool = False
    ) -> Exporter:
        """Make the exporter for a backend, at the size to measure at or for any size."""
        folder = self.folder / f"export-{backend}{'-dynamic' if dynamic else ''}"
        folder.mkdir(exist_ok=True)
        deploy_config = load_deploy_config(backend, None if dynamic else (self.size, self.size))
        return Exporter(self.config, self.checkpoint, deploy_config, folder, classes)


class Student:
    """The student's exports and bundles.

    Args:
        network: the student.
        classes: class names.
        progress: called with one line of text at each step.
    """

    def __init__(
        self,
        network: Network,
        classes: Sequence[str],
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.network, self.classes, self._progress = network, tuple(classes), progress
        self._bundles: dict[tuple[str, bool], Bundle] = {}

    @cached_property
    def exporter(self) -> Exporter:
        """Exports at the size to measure at."""
        return self.network.exporter(self.classes)

    @cached_property
    def export(self) -> onnx.ModelProto:
        """The plain float export at the size to measure at."""
        self._progress("export the student")
        return self.exporter.to_onnx()

    @cached_property
    def calibration(self) -> list[np.ndarray]:
        """What INT8 is calibrated on: training images of trained weights, else drawn layers."""
        spec, network = self.exporter.manifest.input, self.network
        if network.trained:
            return calibration_images(network.config, spec, 64)
        return [to_batch(read_image(picture), spec) for picture in network.pictures]

    @cached_property
    def export_int8(self) -> onnx.ModelProto:
        """The plain INT8 export at the size to measure at."""
        self._progress("quantize the student")
        return quantize(self.export, self.calibration)

    def bundle(self, key: str, *, frames: bool = False) -> Bundle:
        """Make the bundle of a backend, ``"-int8"`` behind it for INT8.

        Args:
            key: a backend's name, or that and ``"-int8"``.
            frames: as ``tools/deploy.py`` makes it, frames in and labels out; otherwise a tensor in
                and logits out.
        """
        if (key, frames) not in self._bundles:
            backend, precision = key.removesuffix("-int8"), precision_of(key)
            model = self.export_int8 if precision == "int8" else self.export
            exporter = self.network.exporter(self.classes, backend)
            self._bundles[key, frames] = exporter.pack(
                model, int8=precision == "int8", frames=frames
            )
        return self._bundles[key, frames]

    def dynamic_bundle(self, key: str) -> Bundle:
        """Make the OpenVINO bundle for images of any size, in tiles where they are large."""
        network = self.network
        self._progress(f"export the student for images of any size ({key})")
        exporter = network.exporter(self.classes, dynamic=True)
        model, int8 = exporter.to_onnx(), precision_of(key) == "int8"
        return exporter.pack(quantize(model, self.calibration) if int8 else model, int8=int8)


def precision_of(key: str) -> str:
    """Tell a row's precision by its key, as a bundle writes it."""
    return {"int8": "int8", "fp16": "float16"}.get(key.rpartition("-")[2], "float32")


def make_pictures(folder: Path, size: int) -> tuple[list[Path], Path]:
    """Draw what is measured on.

    Returns:
        Layers of ``size`` x ``size`` pixels, and a camera frame.
    """
    layers = draw_layers(folder, size, _LAYERS)
    return layers, draw_frame(layers[0], folder / "frame.png")
