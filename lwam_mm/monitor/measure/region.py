"""What is known about one region of one class in one layer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """Connected pixels of one class in one layer.

    Attributes:
        class_name: The class.
        area_px: Number of pixels.
        x: Left edge of the bounding box, px.
        y: Upper edge of the bounding box, px.
        width: Width of the bounding box, px.
        height: Height of the bounding box, px.
        centre_x: Mean column of the pixels, px.
        centre_y: Mean row of the pixels, px.
        area_mm2: Area on the plate, mm²; None without plate coordinates.
        plate_x_mm: Place of the centre on the plate, mm; None without plate coordinates.
        plate_y_mm: Place of the centre on the plate, mm; None without plate coordinates.
        mean_probability: Mean probability of the class over the pixels, 0..1; None if not known.
        part_id: The nearest part; None without a mask of parts, or if it is empty.
        part_distance_mm: From the region's nearest pixel to that part; 0 if it lies on it. Without
            plate coordinates every other distance is None.
        track_id: The track it belongs to; None before tracking.
        background: Whether it has stood there since the first layers; see `Background`.
    """

    class_name: str
    area_px: int
    x: int
    y: int
    width: int
    height: int
    centre_x: float
    centre_y: float
    area_mm2: float | None = None
    plate_x_mm: float | None = None
    plate_y_mm: float | None = None
    mean_probability: float | None = None
    part_id: int | None = None
    part_distance_mm: float | None = None
    track_id: int | None = None
    background: bool = False

    @property
    def over_part(self) -> bool:
        """Whether at least one pixel lies on a part."""
        return self.part_distance_mm == 0
