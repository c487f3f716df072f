"""A volume of classes for ParaView: VTK ImageData, one slice a layer."""

from __future__ import annotations

import math
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np

from lwam_mm.monitor.export.blocks import UNKNOWN, known_mask, largest_in_blocks
from lwam_mm.monitor.export.exported import Exported, ExportError
from lwam_mm.utils.atomic_files import replacing

_HEADER = """\
<?xml version="1.0"?>
<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64"\
 compressor="vtkZLibDataCompressor">
<ImageData WholeExtent="{extent}" Origin="{origin}" Spacing="{spacing}">
<FieldData>
<DataArray type="String" Name="classes" NumberOfTuples="{classes}" format="ascii">
{names}
</DataArray>
<DataArray type="String" Name="unit" NumberOfTuples="1" format="ascii">{unit}</DataArray>
</FieldData>
<Piece Extent="{extent}">
<CellData Scalars={name}>
<DataArray type="UInt8" Name={name} format="appended" offset="0"/>
</CellData>
</Piece>
</ImageData>
<AppendedData encoding="raw">
_"""


def write_vti(build: Exported, out: Path, max_mb: float) -> str:
    """Write a build as a volume of cells, each a class index; 255 where nothing is known.

    With plate coordinates the axes are those of the plate, in mm; else those of the frame, in px,
    with y downwards. If the volume were larger than ``max_mb``, a cell holds the highest class of
    several pixels.

    Raises:
        ExportError: No volume is as small as ``max_mb``, or no layer has an image.
    """
    layers = {layer.number: layer for layer in build.layers}
    height, width = build.size
    factor = 1
    while True:
        place, (rows, columns), origin, spacing = _grid(build, height, width, factor)
        if len(build.numbers) * rows * columns <= max_mb * 1e6:
            break
        if rows * columns == 1:
            least = len(build.numbers) / 1e6
            raise ExportError(f"--max-mb {max_mb:g}: the least is {least:g} MB: give more")
        factor += 1
    nothing = zlib.compress(np.full((rows, columns), UNKNOWN, np.uint8).tobytes(), 3)
    unknown = 0
    with replacing(out) as path, tempfile.TemporaryFile(dir=path.parent) as slices:
        sizes = []
        for number in build.numbers:
            mask = known_mask(build, layers.get(number))
            unknown += mask is None
            packed = nothing if mask is None else zlib.compress(place(mask).tobytes(), 3)
            sizes.append(len(packed))
            slices.write(packed)
        with path.open("wb") as file:
            extent = f"0 {columns} 0 {rows} 0 {len(sizes)}"
            thickness = _thickness(build)
            bottom = build.layers_below(build.numbers[0]) * thickness
            header = _HEADER.format(
                extent=extent,
                origin=f"{origin[0]:.6g} {origin[1]:.6g} {bottom:.6g}",
                spacing=f"{spacing:.6g} {spacing:.6g} {thickness:.6g}",
                classes=len(build.classes),
                names=_ascii(build.classes),
                unit=_ascii([_unit(build)]),
                name=quoteattr("class"),
            )
            file.write(header.encode())
            # Blocks of one slice each; a last block size of 0 says that the last is whole too.
            file.write(struct.pack(f"<3Q{len(sizes)}Q", len(sizes), rows * columns, 0, *sizes))
            slices.seek(0)
            shutil.copyfileobj(slices, file)
            file.write(b"\n</AppendedData>\n</VTKFile>\n")
    told = f", {factor} x {factor} px a cell" if factor > 1 else ""
    return (
        f"wrote {out}: {columns} x {rows} x {len(sizes)} cells{told}, in {_unit(build)}; "
        f"{unknown} layers of which nothing is known hold {UNKNOWN}"
    )


_Place = Callable[[np.ndarray], np.ndarray]


def _grid(
    build: Exported, height: int, width: int, factor: int
) -> tuple[_Place, tuple[int, int], tuple[float, float], float]:
    """Return how a mask comes onto the grid, the grid's rows and columns, origin and spacing."""
    if build.plate is None:
        rows, columns = -(-height // factor), -(-width // factor)
        return lambda mask: largest_in_blocks(mask, factor), (rows, columns), (0.0, 0.0), factor
    corners = build.plate.to_mm([(0, 0), (width, 0), (width, height), (0, height)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    spacing = factor * math.sqrt(float(build.plate.mm2_per_px([(width / 2, height / 2)])[0]))
    columns, rows = (max(1, math.ceil(float(length) / spacing - 1e-6)) for length in high - low)
    # From px to cells, both counted from the middle of the first.
    to_cells = np.array(
        [[1 / spacing, 0, -low[0] / spacing - 0.5], [0, 1 / spacing, -low[1] / spacing - 0.5],
         [0, 0, 1]]
    )  # fmt: skip
    to_centres = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    way = to_cells @ build.plate.matrix @ to_centres
    kernel = np.ones((factor, factor), np.uint8)

    def place(mask: np.ndarray) -> np.ndarray:
        wide = cv2.dilate(mask, kernel) if factor > 1 else mask
        return cv2.warpPerspective(
            wide, way, (columns, rows), flags=cv2.INTER_NEAREST, borderValue=UNKNOWN
        )

    return place, (rows, columns), (float(low[0]), float(low[1])), spacing


def _unit(build: Exported) -> str:
    known = build.layer_height_um is not None
    plane = "px" if build.plate is None else "mm"
    return f"x and y in {plane}, z in {'mm' if known else 'layers'}"


def _thickness(build: Exported) -> float:
    return 1.0 if build.layer_height_um is None else build.layer_height_um / 1000


def _ascii(texts: tuple[str, ...] | list[str]) -> str:
    return " ".join(str(byte) for text in texts for byte in (*text.encode(), 0))
