"""The regions of a build as solids, to lay over the CAD model."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lwam_mm.monitor.export.blocks import known_mask, largest_in_blocks
from lwam_mm.monitor.export.exported import Exported, ExportError
from lwam_mm.utils.atomic_files import replacing

_TRIANGLE_BYTES = 50
_TRIANGLES = 12  # of a box
# The corners of a box: those below counter-clockwise from above, then those above. Each triangle
# is counter-clockwise from outside.
_FACES = np.array(
    [(0, 2, 1), (0, 3, 2), (4, 5, 6), (4, 6, 7), (0, 1, 5), (0, 5, 4), (1, 2, 6), (1, 6, 5),
     (2, 3, 7), (2, 7, 6), (3, 0, 4), (3, 4, 7)]
)  # fmt: skip


def write_stl(build: Exported, out: Path, max_mb: float) -> str:
    """Write all defects as boxes in plate coordinates, mm: z is the layer's height above the plate.

    Each box is as high as a layer and covers a run of pixels of the same class, over as many rows
    as the run stays the same. If the file were larger than ``max_mb``, pixels are joined to blocks.

    Raises:
        ExportError: The plate coordinates or the thickness of a layer are not known, or no file
            is as small as ``max_mb``.
    """
    plate = build.needed_plate("STL")
    thickness = build.needed_height_mm("STL")
    below = build.layers_below(0)
    factor = 1
    while (needed := _megabytes(build, factor)) > max_mb:
        if factor >= max(build.size):
            raise ExportError(f"--max-mb {max_mb:g}: the least is {needed:g} MB: give more")
        factor *= 2
    count, unknown = 0, len(build.numbers) - len(build.layers)
    with replacing(out) as path, path.open("wb") as file:
        file.write(b"defects of a build, mm".ljust(80))
        file.write(struct.pack("<I", 0))
        for number, box in _boxes(build, factor):
            if box is None:
                unknown += 1
                continue
            left, top, right, bottom = box
            outline = plate.to_mm([(left, top), (right, top), (right, bottom), (left, bottom)])
            if _area(outline) < 0:  # the frame's y points down, so the order may turn
                outline = outline[::-1]
            low, high = (number + below) * thickness, (number + below + 1) * thickness
            corners = np.vstack(
                [np.column_stack([outline, np.full(4, z)]) for z in (low, high)]
            ).astype(np.float32)
            triangles = corners[_FACES]
            normals = np.cross(
                triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
            ).astype(np.float32)
            lengths = np.linalg.norm(normals, axis=1, keepdims=True)
            normals /= np.where(lengths > 0, lengths, 1)
            packed = np.zeros(_TRIANGLES, [("values", "<f4", 12), ("attribute", "<u2")])
            packed["values"] = np.hstack([normals, triangles.reshape(_TRIANGLES, 9)])
            file.write(packed.tobytes())
            count += _TRIANGLES
        file.seek(80)
        file.write(struct.pack("<I", count))
    told = f", in blocks of {factor} px" if factor > 1 else ""
    if unknown:  # there, no box does not mean no defect
        told += f"; of {unknown} layers nothing is known"
    return f"wrote {out}: {count // _TRIANGLES} boxes{told}"


def _megabytes(build: Exported, factor: int) -> float:
    boxes = sum(box is not None for _, box in _boxes(build, factor))
    return boxes * _TRIANGLES * _TRIANGLE_BYTES / 1e6


def _boxes(build: Exported, factor: int) -> Iterator[tuple[int, tuple[int, int, int, int] | None]]:
    """Yield the number of the layer, and left, top, right and bottom of each box in px.

    Of a layer of which nothing is known there is None in place of boxes.
    """
    for layer in build.layers:
        mask = known_mask(build, layer)
        if mask is None:
            yield layer.number, None
        elif mask.any():
            for box in boxes_of(largest_in_blocks(mask, factor)):
                yield layer.number, tuple(factor * side for side in box)  # type: ignore[misc]


def boxes_of(mask: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
    """Cover what is not 0 by boxes of one class each, which do not overlap.

    Args:
        mask: uint8 of shape (H, W).

    Yields:
        Left, top, right and bottom, px; right and bottom are outside.

    Example:
        >>> mask = np.array([[0, 1, 1], [0, 1, 1], [2, 0, 1]], np.uint8)
        >>> list(boxes_of(mask))
        [(1, 0, 3, 2), (0, 2, 1, 3), (2, 2, 3, 3)]
    """
    growing: dict[tuple[int, int, int], int] = {}  # top by left, right and class
    for y in range(mask.shape[0] + 1):
        runs = set(_runs(mask[y])) if y < mask.shape[0] else set()
        for run in [run for run in growing if run not in runs]:
            yield run[0], growing.pop(run), run[1], y
        for run in sorted(runs):
            growing.setdefault(run, y)


def _runs(row: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield left, right and class of each run of one class in a row."""
    changes = np.flatnonzero(np.diff(row)) + 1
    for left, right in zip([0, *changes], [*changes, len(row)], strict=True):
        if row[left]:
            yield int(left), int(right), int(row[left])


def _area(outline: np.ndarray) -> float:
    x, y = outline.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
