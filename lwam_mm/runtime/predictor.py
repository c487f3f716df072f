"""Segments images with a bundle."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lwam_mm.runtime.bundle import read_bundle
from lwam_mm.runtime.engines.engine import Output
from lwam_mm.runtime.engines.load_engine import load_engine
from lwam_mm.runtime.errors import BundleError, EngineError
from lwam_mm.runtime.images import check_array, read_image
from lwam_mm.runtime.pre_and_postprocessing import argmax, softmax, to_batch, to_image_size
from lwam_mm.runtime.tiling import Tile, plan_tiles

# Bounds the memory: feature maps at full size are 64 channels wide in the released student.
MAX_PIXELS = 1024 * 1024


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was seen on one image of height H and width W.

    Attributes:
        labels: uint8 of shape (H, W): each pixel's class, 0..C-1.
        probabilities: float32 of shape (C, H, W), 0..1, summing to 1 over the classes; None unless
            asked for.
        pixels: Class name -> number of pixels, every class named; they sum to H * W.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None
    pixels: dict[str, int]


class Predictor:
    """A bundle's model, loaded and ready. Threads may share it: they take turns.

    Args:
        bundle: The bundle's folder.
        threads: CPU threads that one prediction may use; None leaves it to the engine.
        max_pixels: A model of any size is given at most this many pixels at once; a larger image
            is taken tile by tile, with the answer of the whole.

    Attributes:
        bundle: The verified bundle.
        classes: Class names; the position is the label.
        palette: One (R, G, B) of 0..255 a class.

    Raises:
        BundleError: The bundle is missing, damaged, or its model is not what it says.
        EngineError: The bundle's inference engine is not installed.
        ValueError: `threads` or `max_pixels` is not positive.
    """

    def __init__(
        self, bundle: str | Path, threads: int | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        if max_pixels < 1:
            raise ValueError(f"max_pixels is {max_pixels}: give at least 1")
        self.bundle = read_bundle(bundle)
        self.classes = self.bundle.manifest.classes
        self.palette = self.bundle.manifest.palette
        self._max_pixels = max_pixels
        self._engine = load_engine(self.bundle, threads)
        self._turn = threading.Lock()

    def __call__(
        self, image: str | Path | np.ndarray, *, probabilities: bool = False
    ) -> Prediction:
        """Segment one image.

        Args:
            image: A file (see `read_image`), or uint8 of shape (H, W), grey, or (H, W, 3) in
                OpenCV's channel order, BGR.
            probabilities: Also return each class's probability: C * H * W * 4 bytes.

        Returns:
            The prediction, at the image's own size.

        Raises:
            ImageError: The image cannot be read or is no such array.
            BundleError: The model's output has not the shape that the bundle promises.
            EngineError: The engine failed, or the model returned NaN or infinity.
            ValueError: The image has to be tiled, but `max_pixels` is too small for the halo.
        """
        pixels = _pixels(image, self.bundle.manifest.input.white_level)
        if probabilities:
            logits = self._logits(pixels)
            labels = argmax(logits)
        else:
            logits = None
            labels = self._labels(pixels)
        # With the few classes that there are, several times as quick as a histogram.
        counts = [int(np.count_nonzero(labels == label)) for label in range(len(self.classes))]
        return Prediction(
            labels=labels,
            probabilities=None if logits is None else softmax(logits),
            pixels=dict(zip(self.classes, counts, strict=True)),
        )

    def logits(self, image: str | Path | np.ndarray) -> np.ndarray:
        """Return the logits of one image at its own size: float32 of shape (C, H, W).

        Raises:
            ImageError, BundleError, EngineError, ValueError: As in a call.
        """
        return self._logits(_pixels(image, self.bundle.manifest.input.white_level))

    def _labels(self, pixels: np.ndarray) -> np.ndarray:
        labels = np.empty(pixels.shape[:2], np.uint8)
        spec = self.bundle.manifest.input
        resized = spec.size is not None and spec.size != labels.shape
        with self._turn:
            for tile, output in self._outputs(pixels):
                height, width = labels[tile.seen].shape
                if output.labels is None or resized:
                    found = argmax(to_image_size(output.logits[0], (height, width), spec))
                else:
                    found = output.labels[0, :height, :width]
                labels[tile.kept] = found[tile.inner]
        return labels

    def _logits(self, pixels: np.ndarray) -> np.ndarray:
        size = pixels.shape[:2]
        logits = np.empty((len(self.classes), *size), np.float32)
        with self._turn:
            for tile, output in self._outputs(pixels):
                seen = pixels[tile.seen].shape[:2]
                found = to_image_size(output.logits[0], seen, self.bundle.manifest.input)
                logits[(slice(None), *tile.kept)] = found[(slice(None), *tile.inner)]
        return logits

    def _outputs(self, pixels: np.ndarray) -> Iterator[tuple[Tile, Output]]:
        spec = self.bundle.manifest.input
        if spec.halo is None:
            whole = (slice(0, pixels.shape[0]), slice(0, pixels.shape[1]))
            tiles = [Tile(whole, whole)]
        else:
            tiles = plan_tiles(pixels.shape[:2], spec.halo, spec.size_divisor, self._max_pixels)
        for tile in tiles:
            yield tile, self._run(to_batch(pixels[tile.seen], spec))

    def _run(self, batch: np.ndarray) -> Output:
        output = self._engine(batch)
        frame = self.bundle.manifest.input.kind == "frame"
        size = batch.shape[1:3] if frame else batch.shape[2:]
        self._check_shape(batch, output.logits, (1, len(self.classes), *size))
        if output.labels is not None:
            self._check_shape(batch, output.labels, (1, *size))
        # The argmax of NaN is class 0: a broken model would call every layer flawless. Where the
        # graph finds the labels a sample will do: broken weights show all over the image.
        step = 1 if output.labels is None else 61
        if not np.isfinite(output.logits[:, :, ::step, ::step]).all():
            raise EngineError(
                f"{self.bundle.model_path} returned NaN or infinity: the model is broken, train or "
                "export it again"
            )
        return output

    def _check_shape(self, batch: np.ndarray, found: np.ndarray, expected: tuple[int, ...]) -> None:
        if found.shape != expected:
            raise BundleError(
                f"{self.bundle.model_path}: for an input of shape {batch.shape} the model returns "
                f"shape {found.shape}, not {expected}: the bundle's classes or its kind of output "
                "are wrong, export it again"
            )


def _pixels(image: str | Path | np.ndarray, white_level: int | None) -> np.ndarray:
    return read_image(image, white_level) if isinstance(image, str | Path) else check_array(image)
