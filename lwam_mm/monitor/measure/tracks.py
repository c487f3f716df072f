"""Follows regions through the layers of a build: birth, growth, end."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lwam_mm.monitor.measure.region import Region

Box = tuple[int, int, int, int]
"""Left, top, right and bottom edge, px; right and bottom are the first pixel outside."""


@dataclass
class Track:
    """Regions of one class at one place, through the layers.

    Attributes:
        id: Number within the build, from 1.
        class_name: The class.
        first_layer: Layer of birth.
        last_layer: Last layer with a region of it.
        layers: Number of layers with a region of it.
        max_area_px: Largest area in a layer, px.
        box: Where the next region is looked for.
        areas: The area in each of the last inspected layers, px, 0 where it was not seen.
        background: Whether its regions are background.
        ended: Whether it is no longer followed.
    """

    id: int
    class_name: str
    first_layer: int
    last_layer: int
    layers: int
    max_area_px: int
    box: Box
    areas: deque[int] = field(default_factory=deque)
    background: bool = False
    ended: bool = False


class Tracker:
    """Gives regions of the same class at the same place in successive layers the same track.

    It sees bounding boxes alone, so that the tracks of a recorded build can be made again from the
    record. A layer that was not inspected is no evidence and does not count.

    Args:
        reach_px: A region belongs to a track if its box, this much wider on each side, meets the
            track's last box.
        memory: A track ends after this many inspected layers without a region.

    Attributes:
        live: The tracks that are followed, by id.
    """

    def __init__(self, reach_px: int = 5, memory: int = 5) -> None:
        self.live: dict[int, Track] = {}
        self._reach = reach_px
        self._memory = memory
        self._next = 1

    def renumber(self, numbers: Mapping[int, int], next_number: int) -> None:
        """Give each live track another number, and the next new one ``next_number``."""
        self.live = {
            numbers[old]: replace(track, id=numbers[old]) for old, track in self.live.items()
        }
        self._next = next_number

    def update(self, layer: int, regions: Sequence[Region]) -> tuple[list[Region], list[Track]]:
        """Take the next inspected layer.

        Args:
            layer: Its number.
            regions: Its regions.

        Returns:
            The regions in the same order with their tracks, and the tracks that ended with this
            layer. Several regions of a layer may belong to one track.
        """
        ids = self._assign(layer, regions)
        members: dict[int, list[Region]] = {}
        for region, track_id in zip(regions, ids, strict=True):
            members.setdefault(track_id, []).append(region)
        ended = []
        for track in list(self.live.values()):
            _grow(track, layer, members.get(track.id, []))
            if not any(track.areas):
                track.ended = True
                ended.append(self.live.pop(track.id))
        named = [
            replace(region, track_id=track_id)
            for region, track_id in zip(regions, ids, strict=True)
        ]
        return named, ended

    def _assign(self, layer: int, regions: Sequence[Region]) -> list[int]:
        tracks = list(self.live.values())
        ids: list[int | None] = [None] * len(regions)
        if tracks and regions:
            meets = self._overlaps(regions, tracks)
            # Of equals the first wins, which is the oldest track.
            best = meets.argmax(axis=1)
            for index, column in enumerate(best):
                if meets[index, column] > 0:
                    ids[index] = tracks[int(column)].id
        return [
            self._birth(layer, region) if track_id is None else track_id
            for region, track_id in zip(regions, ids, strict=True)
        ]

    def _overlaps(self, regions: Sequence[Region], tracks: Sequence[Track]) -> np.ndarray:
        """Return the share that each wider box has in common with each track's, 0..1.

        Shape (regions, tracks). Common area by united area, so that a small region inside of a
        large box rather follows its own small track.
        """
        found = np.array([_box(region) for region in regions])[:, None, :]
        found = found + np.array([-1, -1, 1, 1]) * self._reach
        known = np.array([track.box for track in tracks])[None, :, :]
        first = np.maximum(found[..., :2], known[..., :2])
        common = (np.minimum(found[..., 2:], known[..., 2:]) - first).clip(0).prod(axis=-1)
        sizes = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (found, known)]
        share: np.ndarray = common / (sizes[0] + sizes[1] - common)
        # Track names are numbered: comparing text for each pair would take longer than the rest.
        kinds: dict[tuple[str, bool], int] = {}
        rows, columns = (
            np.array(
                [kinds.setdefault((one.class_name, one.background), len(kinds)) for one in many]
            )
            for many in (regions, tracks)
        )
        return np.where(rows[:, None] == columns[None, :], share, 0.0)

    def _birth(self, layer: int, region: Region) -> int:
        track = Track(
            id=self._next,
            class_name=region.class_name,
            first_layer=layer,
            last_layer=layer,
            layers=0,
            max_area_px=0,
            box=_box(region),
            areas=deque(maxlen=self._memory),
            background=region.background,
        )
        self.live[track.id] = track
        self._next += 1
        return track.id


def _grow(track: Track, layer: int, regions: list[Region]) -> None:
    area = sum(region.area_px for region in regions)
    track.areas.append(area)
    if regions:
        track.layers += 1
        track.last_layer = layer
        track.max_area_px = max(track.max_area_px, area)
        track.box = _union([_box(region) for region in regions])


def _box(region: Region) -> Box:
    return (region.x, region.y, region.x + region.width, region.y + region.height)


def _union(boxes: Sequence[Box]) -> Box:
    left, top, right, bottom = zip(*boxes, strict=True)
    return (min(left), min(top), max(right), max(bottom))
