"""Reads builds in the HDF5 layout of Peregrine, in which ORNL publishes its data sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from lwam_mm.runtime import ImageError
from lwam_mm.runtime.images import check_array, to_8bit
from lwam_mm.utils.errors import UserError

_CAMERAS = ("slices/camera_data/visible", "slices/camera_data/visible light")
_IMAGE_OF_STEP = {"exposed": "0", "recoated": "1"}
_CLASSES = "slices/segmentation_results"
_PARTS = "slices/part_ids"
# What h5py raises about a file that is broken.
_BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError)


class PeregrineError(UserError, ValueError):
    """The file is no build in Peregrine's layout."""


class PeregrineBuild:
    """One file: a build with the images of all its layers. Layers count from 0.

    Args:
        path: The HDF5 file.

    Attributes:
        name: The build's name: that of the file.
        layers: Number of layers of each step: "recoated" and "exposed". While a build grows, one
            step is ahead.
        layer_height_um: Thickness of a layer, µm.
        mm_per_px: Size of a pixel on the plate, mm.

    Raises:
        PeregrineError: It cannot be read, or what is needed is missing in it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        try:
            self._file = h5py.File(self.path, "r", locking=False)  # a writer must not wait for us
        except OSError as error:
            raise PeregrineError(
                f"{self.path} cannot be read as HDF5: {error}: fetch it again"
            ) from error
        try:
            self._camera = self._find_camera()
            self.layers = {step: len(self._images(step)) for step in _IMAGE_OF_STEP}
            self.layer_height_um = 1000 * self._number("material/layer_thickness")
            self.mm_per_px = self._number("printer/x_real_dimension") / self._number(
                "printer/x_camera_dimension"
            )
        except PeregrineError:
            self.close()
            raise

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of its own results' classes; empty if it has none."""
        with self._reading(_CLASSES):
            if _CLASSES not in self._file:
                return ()
            names = np.ravel(self._file[_CLASSES].attrs.get("class_names", "")).tolist()
        text = ",".join(n.decode() if isinstance(n, bytes) else str(n) for n in names)
        return tuple(name.strip() for name in text.split(",") if name.strip())

    def frame(self, layer: int, step: str) -> np.ndarray:
        """Return the image of a layer: uint8 of shape (H, W, 3), BGR.

        Raises:
            PeregrineError: There is no such layer.
            ImageError: It is no image of 8 or 16 bits.
        """
        image = self._slice(self._images(step), layer)
        try:
            return check_array(to_8bit(image) if image.dtype == np.uint16 else image)
        except ImageError as error:
            raise ImageError(f"{self.path}: layer {layer} {step}: {error}") from error

    def parts(self, layer: int) -> np.ndarray | None:
        """Return each pixel's part, int32 of shape (H, W), 0 where there is none; None if unknown.

        Raises:
            PeregrineError: There is no such layer.
        """
        with self._reading(_PARTS):
            if _PARTS not in self._file:
                return None
        return self._slice(self._stack(_PARTS), layer).astype(np.int32)

    def labels(self, layer: int, names: dict[str, str], classes: tuple[str, ...]) -> np.ndarray:
        """Return its own result as a mask of our classes.

        Args:
            layer: The layer.
            names: Its class -> ours, by name, for the ids differ from file to file. What is not
                named is class 0; where several hold, the last of ``classes`` does.
            classes: Our classes; the position is the label.

        Returns:
            uint8 of shape (H, W).

        Raises:
            PeregrineError: There is no such layer, or no such class.
        """
        found = np.zeros(self._images("recoated").shape[1:3], np.uint8)
        numbers = {name: at for at, name in enumerate(self.class_names)}
        for theirs, ours in sorted(names.items(), key=lambda pair: classes.index(pair[1])):
            if theirs not in numbers:
                raise PeregrineError(
                    f"{self.path} has no class {theirs!r}: name one of {list(numbers)}"
                )
            results = self._stack(f"{_CLASSES}/{numbers[theirs]}")
            found[self._slice(results, layer) > 0] = classes.index(ours)
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except PeregrineError:
            raise
        except _BROKEN as error:
            raise PeregrineError(
                f"{self.path}: {what} cannot be read: {error}: fetch the file again"
            ) from error

    def _find_camera(self) -> str:
        with self._reading("the images"):
            for name in _CAMERAS:
                if name in self._file:
                    return name
        raise PeregrineError(
            f"{self.path} has neither {' nor '.join(_CAMERAS)}: it is no build with images"
        )

    def _images(self, step: str) -> h5py.Dataset:
        return self._stack(f"{self._camera}/{_IMAGE_OF_STEP[step]}")

    def _stack(self, name: str) -> h5py.Dataset:
        with self._reading(name):
            if name not in self._file:
                raise PeregrineError(f"{self.path} has no {name}: add it")
            found = self._file[name]
        shape = getattr(found, "shape", None) or ()
        if len(shape) < 3:
            raise PeregrineError(
                f"{self.path}: {name} has the shape {shape}: give (layers, height, width)"
            )
        return found

    def _slice(self, images: h5py.Dataset, layer: int) -> np.ndarray:
        if not 0 <= layer < len(images):
            raise PeregrineError(
                f"{self.path}: {images.name} has no layer {layer}: it has {len(images)}, from 0"
            )
        with self._reading(f"layer {layer}"):
            return np.asarray(images[layer])

    def _number(self, name: str) -> float:
        given = None
        try:
            given = self._file.attrs[name]
            value = float(np.asarray(given).item())  # some programs write lists of one number
        except _BROKEN as error:
            told = "missing" if given is None else f"{given!r}, no number"
            raise PeregrineError(f"{self.path}: the attribute {name} is {told}: add it") from error
        if not 0 < value < float("inf"):
            raise PeregrineError(f"{self.path}: the attribute {name} is {value}: give more than 0")
        return value
