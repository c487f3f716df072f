"""A build in the HDF5 layout of Peregrine, as `PeregrineBuild` reads it."""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np

from lwam_mm.monitor.export.blocks import known_mask
from lwam_mm.monitor.export.exported import Exported
from lwam_mm.monitor.view.build_data import latest_layers
from lwam_mm.monitor.view.pictures import PictureGoneError, frame_of
from lwam_mm.utils.atomic_files import replacing

_IMAGES = {"exposed": "0", "recoated": "1"}


def write_hdf5(build: Exported, out: Path) -> str:
    """Write a build layer by layer: the images of both steps, grey, and the model's results.

    Layers count from 0, the first recorded one; its number is the attribute ``first_layer``. What
    is missing is black in the images and nothing in the results.

    Raises:
        ExportError: The size of a pixel or the thickness of a layer is not known.
    """
    plate = build.needed_plate("Peregrine's layout")
    thickness = build.needed_height_mm("Peregrine's layout")
    height, width = build.size
    first, count = build.numbers[0], len(build.numbers)
    gone = 0
    with build.record.reading() as session, replacing(out) as path, h5py.File(path, "w") as file:
        mm_per_px = float(plate.mm2_per_px([(width / 2, height / 2)])[0]) ** 0.5
        file.attrs["material/layer_thickness"] = thickness
        file.attrs["printer/x_real_dimension"] = mm_per_px * width
        file.attrs["printer/x_camera_dimension"] = width
        file.attrs["first_layer"] = first

        def stack(name: str) -> h5py.Dataset:
            return file.create_dataset(
                name, (count, height, width), np.uint8, chunks=(1, height, width), compression=4
            )

        for step, name in _IMAGES.items():
            images = stack(f"slices/camera_data/visible/{name}")
            for layer in latest_layers(session, build.build_id, step):
                if not 0 <= layer.number - first < count or layer.path is None:
                    continue
                try:
                    grey = cv2.cvtColor(frame_of(build.record, layer), cv2.COLOR_BGR2GRAY)
                except PictureGoneError:
                    gone += 1
                    continue
                if grey.shape == (height, width):
                    images[layer.number - first] = grey
        results = [stack(f"slices/segmentation_results/{i}") for i in range(len(build.classes))]
        file["slices/segmentation_results"].attrs["class_names"] = ",".join(build.classes)
        for layer in build.layers:
            mask = known_mask(build, layer)
            for index, result in enumerate(results):
                if mask is not None and (mask == index).any():
                    result[layer.number - first] = mask == index
    told = f"; {gone} images are gone and black in it" if gone else ""
    return f"wrote {out}: {count} layers of {width} x {height} px{told}"
