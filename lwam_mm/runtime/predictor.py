"""Segments images with a bundle."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lwam_mm.runtime.bundle import read_bundle
from lwam_mm.runtime.engines.engine import Output
from lwam_mm.runtime.engines.load_engine import load_engine
from lwam_mm.runtime.errors import BundleError, EngineError, SettingError
from lwam_mm.runtime.images import check_array, read_image
from lwam_mm.runtime.pre_and_postprocessing import argmax, softmax, to_batch, to_image_size
from lwam_mm.runtime.region_of_interest import Polygon, RegionOfInterest
from lwam_mm.runtime.tiling import Tile, plan_tiles

# Bounds the memory: feature maps at full size are 64 channels wide in the released student.
MAX_PIXELS = 1024 * 1024


@dataclass(frozen=True, eq=False)
class Prediction:
    """The result for one image of height H and width W.

    Attributes:
        labels: uint8 of shape (H, W): each pixel's class, 0..C-1.
        probabilities: float32 of shape (C, H, W), 0..1, summing to 1 over the classes; None unless
            requested.
        pixels: Class name -> number of pixels, for every class; they sum to H * W.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None
    pixels: dict[str, int]


class Predictor:
    """A bundle's model, loaded and ready.

    Threads may share a predictor; their predictions run one after another. A predictor that is
    copied, or pickled and sent to another process, opens its bundle again there.

    Args:
        bundle: The bundle's folder.
        threads: CPU threads that one prediction may use; None leaves it to the engine.
        max_pixels: A model for images of any size is given at most this many pixels at once; a
            larger image is predicted in tiles, with the result of the whole.
        roi: Region of interest: a polygon, or the path of a JSON file or mask image; see
            :class:`~lwam_mm.runtime.region_of_interest.RegionOfInterest`. Labels outside are 0,
            the background. None means the whole frame.

    Attributes:
        bundle: The verified bundle.
        classes: Class names; the position is the label.
        palette: One (R, G, B) of 0..255 per class.
        roi: The region of interest; None for the whole frame.

    Raises:
        BundleError: The bundle is missing, damaged, or its model contradicts it; for a copy, the
            bundle has changed since the original was made.
        EngineError: The bundle's inference engine is not installed.
        SettingError: ``threads`` or ``max_pixels`` is not positive.

    Example:
        The model of this bundle returns its input, so the largest of red, green and blue wins:

        >>> import onnx.parser
        >>> from lwam_mm.runtime import InputSpec, Manifest, OutputSpec, write_bundle
        >>> model = '<ir_version: 8, opset_import: ["": 17]> echo (float[1, 3, H, W] image)'
        >>> model += " => (float[1, 3, H, W] logits) { logits = Identity(image) }"
        >>> onnx.save(onnx.parser.parse_model(model), "model.onnx")
        >>> manifest = Manifest(
        ...     classes=("Red", "Green", "Blue"),
        ...     palette=((255, 0, 0), (0, 255, 0), (0, 0, 255)),
        ...     engine="onnxruntime",
        ...     precision="float32",
        ...     model="model.onnx",
        ...     input=InputSpec("image", None, (0, 0, 0), (1, 1, 1), resize="pad"),
        ...     output=OutputSpec("logits"),
        ... )
        >>> bundle = write_bundle("bundle", manifest, {"model.onnx": "model.onnx"})

        >>> prediction = Predictor("bundle")(np.array([[[200, 0, 0], [0, 0, 200]]], np.uint8))
        >>> prediction.labels
        array([[2, 0]], dtype=uint8)
        >>> prediction.pixels
        {'Red': 1, 'Green': 0, 'Blue': 1}
    """

    def __init__(
        self,
        bundle: str | Path,
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
        roi: str | Path | Polygon | None = None,
    ) -> None:
        if max_pixels < 1:
            raise SettingError(f"max_pixels is {max_pixels}: give at least 1")
        # Absolute, because another process may have another working directory.
        self.bundle = read_bundle(Path(bundle).absolute())
        self.classes = self.bundle.manifest.classes
        self.palette = self.bundle.manifest.palette
        self._threads = threads
        self._max_pixels = max_pixels
        self.roi = None if roi is None else RegionOfInterest(roi)
        self._load()

    def _load(self) -> None:
        self._engine = load_engine(self.bundle, self._threads)
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_engine"], state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if read_bundle(self.bundle.root) != self.bundle:
            raise BundleError(
                f"{self.bundle.root} has changed since the predictor was made that this is a copy "
                "of: make a new predictor"
            )
        self._load()

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
            ImageError: The image cannot be read, is no such array, or needs tiles for which
                ``max_pixels`` is too small.
            SettingError: The region of interest is not of this size.
            BundleError: The model's output contradicts the bundle.
            EngineError: The engine failed, or the model returned NaN or infinity.
        """
        pixels = _pixels(image, self.bundle.manifest.input.white_level)
        logits = self._logits(pixels) if probabilities else None
        labels = self._labels(pixels) if logits is None else argmax(logits)
        if self.roi is not None:
            labels = np.where(self.roi.inside(labels.shape), labels, np.uint8(0))
        # For the few classes of a bundle, this is several times as quick as a histogram.
        counts = [int(np.count_nonzero(labels == label)) for label in range(len(self.classes))]
        if sum(counts) != labels.size:
            raise BundleError(
                f"{self.bundle.model_path} returned label {labels.max()}, but {self.bundle.root} "
                f"has {len(self.classes)} classes: export the bundle again"
            )
        return Prediction(
            labels=labels,
            probabilities=None if logits is None else softmax(logits),
            pixels=dict(zip(self.classes, counts, strict=True)),
        )

    def logits(self, image: str | Path | np.ndarray) -> np.ndarray:
        """Return the logits of one image at its own size: float32 of shape (C, H, W)."""
        return self._logits(_pixels(image, self.bundle.manifest.input.white_level))

    def _labels(self, pixels: np.ndarray) -> np.ndarray:
        spec = self.bundle.manifest.input
        resized = spec.size is not None and spec.size != pixels.shape[:2]

        def labels_of(output: Output, size: tuple[int, int]) -> np.ndarray:
            if output.logits is not None and (output.labels is None or resized):
                return argmax(to_image_size(output.logits[0], size, spec))
            assert output.labels is not None
            return output.labels[0, : size[0], : size[1]]

        labels = np.empty(pixels.shape[:2], np.uint8)
        return self._stitch(pixels, labels, labels_of, logits=resized)

    def _logits(self, pixels: np.ndarray) -> np.ndarray:
        def logits_of(output: Output, size: tuple[int, int]) -> np.ndarray:
            assert output.logits is not None
            return to_image_size(output.logits[0], size, self.bundle.manifest.input)

        logits = np.empty((len(self.classes), *pixels.shape[:2]), np.float32)
        return self._stitch(pixels, logits, logits_of, logits=True)

    def _stitch(
        self,
        pixels: np.ndarray,
        result: np.ndarray,
        result_of: Callable[[Output, tuple[int, int]], np.ndarray],
        *,
        logits: bool,
    ) -> np.ndarray:
        """Fill ``result`` with what ``result_of`` makes of each tile's output and size."""
        spec = self.bundle.manifest.input
        height, width = pixels.shape[:2]
        if spec.halo is None:
            whole = (slice(0, height), slice(0, width))
            tiles = [Tile(whole, whole)]
        else:
            tiles = plan_tiles((height, width), spec.halo, spec.size_divisor, self._max_pixels)
        with self._lock:
            for tile in tiles:
                seen = pixels[tile.seen]
                found = result_of(self._run(to_batch(seen, spec), logits), seen.shape[:2])
                kept, inner = (..., *tile.kept), (..., *tile.inner)
                result[kept] = found[inner]
        return result

    def _run(self, batch: np.ndarray, logits: bool) -> Output:
        output = self._engine(batch, logits=logits)
        frame = self.bundle.manifest.input.kind == "frame"
        size = batch.shape[1:3] if frame else batch.shape[2:]
        if output.logits is not None:
            self._check_shape(batch, output.logits, (1, len(self.classes), *size))
        if output.labels is not None:
            self._check_shape(batch, output.labels, (1, *size))
        # The argmax of NaN is class 0: a broken model would call every layer flawless. Where the
        # graph returns labels, a sample is enough: broken weights show all over the image.
        step = 1 if output.labels is None else 61
        sample = output.check if output.logits is None else output.logits[..., ::step, ::step]
        if sample is None or not np.isfinite(sample).all():
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
