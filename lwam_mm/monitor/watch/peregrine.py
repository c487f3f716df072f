"""Reads builds in the HDF5 layout of Peregrine, in which ORNL publishes its data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lwam_mm.runtime.images import check_array, to_8bit
from lwam_mm.utils.errors import UserError

_CAMERAS = ("slices/camera_data/visible", "slices/camera_data/visible light")
_IMAGE_OF_STEP = {"exposed": "0", "recoated": "1"}
_CLASSES = "slices/segmentation_results"


class PeregrineError(UserError, ValueError):
    """The file is no build in Peregrine's layout."""


class PeregrineBuild:
    """One file: a build with the images of all its layers. Layers count from 0.

    Args:
        path: The HDF5 file.

    Attributes:
        name: The build's name: that of the file.
        layers: Number of layers.
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
        camera = next((name for name in _CAMERAS if name in self._file), None)
        if camera is None:
            raise PeregrineError(
                f"{self.path} has neither {' nor '.join(_CAMERAS)}: it is no build with images"
            )
        self._camera = camera
        self.layers = len(self._images("recoated"))
        if len(self._images("exposed")) != self.layers:
            raise PeregrineError(
                f"{self.path}: {camera} has {self.layers} images after spreading and "
                f"{len(self._images('exposed'))} after melting: the file is not whole, fetch it "
                "again"
            )
        self.layer_height_um = 1000 * self._number("material/layer_thickness")
        self.mm_per_px = self._number("printer/x_real_dimension") / self._number(
            "printer/x_camera_dimension"
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of its own results' classes; empty if it has none."""
        if _CLASSES not in self._file:
            return ()
        names = self._file[_CLASSES].attrs.get("class_names", "")
        text = names.decode() if isinstance(names, bytes) else str(names)
        return tuple(name.strip() for name in text.split(",") if name.strip())

    def frame(self, layer: int, step: str) -> np.ndarray:
        """Return the image of a layer: uint8 of shape (H, W, 3), BGR.

        Raises:
            PeregrineError: There is no such layer.
            ImageError: It is no image of 8 or 16 bits.
        """
        image = self._slice(self._images(step), layer)
        return check_array(to_8bit(image) if image.dtype == np.uint16 else image)

    def parts(self, layer: int) -> np.ndarray | None:
        """Return each pixel's part, int32 of shape (H, W), 0 where there is none; None if unknown.

        Raises:
            PeregrineError: There is no such layer.
        """
        if "slices/part_ids" not in self._file:
            return None
        return self._slice(self._file["slices/part_ids"], layer).astype(np.int32)

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
        for theirs, ours in sorted(names.items(), key=lambda pair: classes.index(pair[1])):
            if theirs not in self.class_names:
                raise PeregrineError(
                    f"{self.path} has no class {theirs!r}: name one of {list(self.class_names)}"
                )
            results = self._file[f"{_CLASSES}/{self.class_names.index(theirs)}"]
            found[self._slice(results, layer) > 0] = classes.index(ours)
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _images(self, step: str) -> Any:
        name = f"{self._camera}/{_IMAGE_OF_STEP[step]}"
        if name not in self._file:
            raise PeregrineError(f"{self.path} has no {name}: it lacks the images of this step")
        return self._file[name]

    def _slice(self, images: Any, layer: int) -> np.ndarray:
        if not 0 <= layer < len(images):
            raise PeregrineError(f"{self.path} has no layer {layer}: give 0 to {len(images) - 1}")
        try:
            return np.asarray(images[layer])
        except OSError as error:
            raise PeregrineError(
                f"{self.path}: layer {layer} cannot be read: {error}: fetch the file again"
            ) from error

    def _number(self, name: str) -> float:
        try:
            value = float(self._file.attrs[name])
        except (KeyError, TypeError, ValueError) as error:
            raise PeregrineError(
                f"{self.path}: the attribute {name} is no number or missing: add it"
            ) from error
        if not 0 < value < float("inf"):
            raise PeregrineError(f"{self.path}: the attribute {name} is {value}: give more than 0")
        return value
