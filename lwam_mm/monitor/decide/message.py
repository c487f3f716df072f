"""What an alarm says of the regions that it is about."""

from collections.abc import Sequence
from typing import Protocol


class Placed(Protocol):
    """A region, as it was measured or as the record holds it; see `Region`."""

    @property
    def class_name(self) -> str: ...  # noqa: D102
    @property
    def area_px(self) -> int: ...  # noqa: D102
    @property
    def area_mm2(self) -> float | None: ...  # noqa: D102
    @property
    def centre_x(self) -> float: ...  # noqa: D102
    @property
    def centre_y(self) -> float: ...  # noqa: D102
    @property
    def plate_x_mm(self) -> float | None: ...  # noqa: D102
    @property
    def plate_y_mm(self) -> float | None: ...  # noqa: D102


def describe(regions: Sequence[Placed]) -> str:
    """Return class, area and place of the regions of one alarm; the place is the largest's.

    Args:
        regions: One or more regions of one class.
    """
    largest = max(regions, key=lambda region: region.area_px)
    area = f"{sum(region.area_px for region in regions)} px"
    place = f"({largest.centre_x:.0f}, {largest.centre_y:.0f}) px"
    if largest.area_mm2 is not None and largest.plate_x_mm is not None:
        area = f"{sum(region.area_mm2 or 0 for region in regions):.2f} mm²"
        place = f"({largest.plate_x_mm:.1f}, {largest.plate_y_mm:.1f}) mm"
    return f"{largest.class_name}: {area} at {place}"


def is_about(message: str, region: Placed) -> bool:
    """Return whether an alarm's message is about this very region alone."""
    return message.startswith(describe([region]))
