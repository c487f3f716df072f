"""Segments images with a bundle."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lwam_mm.runtime.bundle import read_bundle
from lwam_mm.runtime.engine import load_engine
from lwam_mm.runtime.errors import BundleError, EngineError
from lwam_mm.runtime.geometry import softmax, to_batch, to_image_size
from lwam_mm.runtime.images import check_array, read_image


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
    """A bundle's model, loaded and ready.

    Args:
        bundle: The bundle's folder.
        threads: CPU threads that one prediction may use; None leaves it to the engine.

    Attributes:
        bundle: The verified bundle.
        classes: Class names; the position is the label.
        palette: One (R, G, B) of 0..255 a class.

    Raises:
        BundleError: The bundle is missing, damaged, or its model is not what it says.
        EngineError: The bundle's inference engine is not installed.
        ValueError: `threads` is not positive.
    """

    def __init__(self, bundle: str | Path, threads: int | None = None) -> None:
        self.bundle = read_bundle(bundle)
        self.classes = self.bundle.manifest.classes
        self.palette = self.bundle.manifest.palette
        self._engine = load_engine(self.bundle, threads)

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
        """
        pixels = read_image(image) if isinstance(image, str | Path) else check_array(image)
        spec = self.bundle.manifest.input
        logits = self._run(to_batch(pixels, spec))
        logits = to_image_size(logits, pixels.shape[:2], spec)
        labels = logits.argmax(axis=0).astype(np.uint8)
        counts = np.bincount(labels.ravel(), minlength=len(self.classes)).tolist()
        return Prediction(
            labels=labels,
            probabilities=softmax(logits) if probabilities else None,
            pixels=dict(zip(self.classes, counts, strict=True)),
        )

    def _run(self, batch: np.ndarray) -> np.ndarray:
        """Return checked logits, float32 of shape (C, h, w)."""
        logits = self._engine(batch)
        expected = (1, len(self.classes), *batch.shape[2:])
        if logits.shape != expected:
            raise BundleError(
                f"{self.bundle.model_path}: for an input of shape {batch.shape} the model returns "
                f"shape {logits.shape}, not {expected}: the bundle's classes or its kind of output "
                "are wrong, export it again"
            )
        # The argmax of NaN is class 0: a broken model would call every layer flawless.
        if not np.isfinite(logits).all():
            raise EngineError(
                f"{self.bundle.model_path} returned NaN or infinity: the model is broken, train or "
                "export it again"
            )
        return logits[0]
