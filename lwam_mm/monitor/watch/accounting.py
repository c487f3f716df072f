"""Every layer is accounted for: what a new image means for the layers of its build."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from lwam_mm.monitor.decide.order import COURSE
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
        fills: The row that says that this layer is missing; None if there is none.
        missing: Numbers between the last layer and this one, without an image.
        new_missing: Those of them of which no row says so; none if the gap is wider than
            ``max_gap``, as there may be billions.
    """

    duplicate_of: Layer | None = None
    same_as: Layer | None = None
    revision: int = 0
    fills: Layer | None = None
    missing: Collection[int] = ()
    new_missing: Collection[int] = ()


def place(
    session: Session,
    build: Build,
    name: LayerName,
    sha256: str,
    last: int | None,
    max_gap: int,
    is_course: bool = False,
) -> Place:
    """Find where an image belongs among what is recorded.

    Args:
        session: A transaction that will also write the layer.
        build: The image's build.
        name: The image's layer.
        sha256: The image's hash.
        last: The layer that is followed last, see `LayerOrder`; None before the first.
        max_gap: How many layers may be missing in a row.
        is_course: More may be missing, as others go on from this layer.

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
    missing, new_missing = _missing(session, build, name, last, max_gap, is_course)
    return Place(
        same_as=elsewhere,
        revision=images[-1].revision + 1 if images else 0,
        fills=fills,
        missing=missing,
        new_missing=new_missing,
    )


def _missing(
    session: Session, build: Build, name: LayerName, last: int | None, max_gap: int, is_course: bool
) -> tuple[Collection[int], Collection[int]]:
    if last is None or name.number <= last + 1:
        return (), ()
    between = range(last + 1, name.number)
    if len(between) > max_gap:
        if is_course:
            return between, ()
        raise GapError(
            f"layer {name.number} of build {build.name!r} comes {name.number - last} layers "
            f"after the last, {last}: correct the name, or raise watch.max_gap ({max_gap})"
        )
    rows = select(Layer.number, Layer.state).where(
        Layer.build_id == build.id,
        Layer.step == name.step,
        Layer.number.between(between[0], between[-1]),
    )
    states = {row.number: row.state for row in session.execute(rows)}
    missing = [number for number in between if states.get(number, "missing") == "missing"]
    return missing, [number for number in missing if number not in states]


_File = TypeVar("_File")


class FarLayers(Generic[_File]):
    """Layers that are too far from the others, until so many go on that it is no mistake.

    One such number is more likely wrong. If three come in a row, each above the last, it is true.

    Args:
        max_gap: How many layers may be missing between two of them.

    Example:
        >>> far = FarLayers(max_gap=10)
        >>> [far.add("B", number, number) for number in (5000, 9000, 9001, 9003)]
        [[], [], [], [9000, 9001, 9003]]
    """

    def __init__(self, max_gap: int) -> None:
        self._max_gap = max_gap
        self._waiting: dict[object, list[tuple[int, _File]]] = {}

    def add(self, course: object, number: int, file: _File) -> list[_File]:
        """Take the next layer that is too far.

        Args:
            course: What it belongs to: build and step.
            number: The layer.
            file: Its file.

        Returns:
            The files that are no mistake, in their order; none until there are enough.
        """
        waiting = self._waiting.setdefault(course, [])
        if waiting and not 0 < number - waiting[-1][0] <= self._max_gap + 1:
            waiting.clear()
        waiting.append((number, file))
        if len(waiting) < COURSE:
            return []
        return [file for _, file in self._waiting.pop(course)]

    def end(self, course: object) -> None:
        """Forget those that wait: a layer that is not too far has come."""
        self._waiting.pop(course, None)
