"""Every layer is accounted for: what a new image means for the layers of its build."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.tables import Build, Layer
from lwam_mm.monitor.watch.names import LayerName
from lwam_mm.utils.errors import UserError


class GapError(UserError, ValueError):
    """A layer's number is so far from the others that the name is more likely wrong."""


@dataclass(frozen=True)
class Place:
    """Where an image belongs.

    Attributes:
        duplicate_of: The layer that has this very image already; None if none of that name has.
        same_as: Another layer of the build with this very image; None if there is none.
        revision: 0 for the layer's first image; 1, 2, ... for other content of the same layer.
        late: A later layer came first.
        fills: The row that says that this layer is missing; None if there is none.
        missing: Numbers between the last layer and this one, without an image.
    """

    duplicate_of: Layer | None = None
    same_as: Layer | None = None
    revision: int = 0
    late: bool = False
    fills: Layer | None = None
    missing: Collection[int] = ()


def place(session: Session, build: Build, name: LayerName, sha256: str, max_gap: int) -> Place:
    """Find where an image belongs among what is recorded.

    Args:
        session: A transaction that will also write the layer.
        build: The image's build.
        name: The image's layer.
        sha256: The image's hash.
        max_gap: How many layers may be missing in a row.

    Raises:
        GapError: More would be missing.
    """
    of_step = (Layer.build_id == build.id, Layer.step == name.step)
    same = session.scalars(
        select(Layer).where(*of_step, Layer.number == name.number).order_by(Layer.revision)
    ).all()
    fills = next((layer for layer in same if layer.state == "missing"), None)
    images = [layer for layer in same if layer is not fills]
    duplicate = next((layer for layer in images if layer.image_sha256 == sha256), None)
    if duplicate is not None:
        return Place(duplicate_of=duplicate)
    elsewhere = session.scalars(
        select(Layer).where(Layer.build_id == build.id, Layer.image_sha256 == sha256).limit(1)
    ).first()
    last = session.scalar(select(func.max(Layer.number)).where(*of_step))
    missing: range = range(0)
    if last is not None and name.number > last + 1:
        missing = range(last + 1, name.number)
        if len(missing) > max_gap:
            raise GapError(
                f"layer {name.number} of build {build.name!r} comes {name.number - last} layers "
                f"after the last, {last}: correct the name, or raise watch.max_gap ({max_gap})"
            )
    return Place(
        same_as=elsewhere,
        revision=images[-1].revision + 1 if images else 0,
        late=last is not None and name.number < last and not images,
        fills=fills,
        missing=missing,
    )
