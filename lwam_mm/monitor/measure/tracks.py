"""Follows regions through the layers of a build: birth, growth, end."""

from collections import deque
from collections.abc import Sequence
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
        first_area_px: Area in its first layer if it was born as background, px; else 0.
        background: Whether it has stood there, without growth, since the first layers.
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
    first_area_px: int = 0
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
        background_layers: A track born in the first so many inspected layers of a build is
            background.
        growth: A background track whose area is more than this many times that in the first
            layers has grown, and is background no more.

    Attributes:
        live: The tracks that are followed, by id.
    """

    def __init__(
        self,
        reach_px: int = 5,
        memory: int = 5,
        background_layers: int = 3,
        growth: float = 1.5,
    ) -> None:
        self.live: dict[int, Track] = {}
        self._reach = reach_px
        self._memory = memory
        self._background_layers = background_layers
        self._growth = growth
        self._seen = 0
        self._next = 1

    def update(self, layer: int, regions: Sequence[Region]) -> tuple[list[Region], list[Track]]:
        """Take the next inspected layer.

        Args:
            layer: Its number.
            regions: Its regions.

        Returns:
            The regions in the same order, with track and background set; and the tracks that ended
            with this layer. Several regions of a layer may belong to one track.
        """
        self._seen += 1
        learning = self._seen <= self._background_layers
        ids = self._assign(layer, regions)
        members: dict[int, list[Region]] = {}
        for region, track_id in zip(regions, ids, strict=True):
            members.setdefault(track_id, []).append(region)
        ended = []
        for track in list(self.live.values()):
            self._grow(track, layer, members.get(track.id, []), learning)
            # A stain that is not found for a while is still the same stain.
            if not track.background and not any(track.areas):
                track.ended = True
                ended.append(self.live.pop(track.id))
        named = [
            replace(region, track_id=track_id, background=self.live[track_id].background)
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
        """Return the area in which each wider box meets each track's: (regions, tracks), px."""
        found = np.array([_box(region) for region in regions])[:, None, :]
        found = found + np.array([-1, -1, 1, 1]) * self._reach
        known = np.array([track.box for track in tracks])[None, :, :]
        size = np.minimum(found[..., 2:], known[..., 2:]) - np.maximum(
            found[..., :2], known[..., :2]
        )
        meets: np.ndarray = size.clip(0).prod(axis=-1)
        names = np.array([region.class_name for region in regions])[:, None]
        return np.where(names == np.array([track.class_name for track in tracks]), meets, 0)

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
            background=self._seen <= self._background_layers,
        )
        self.live[track.id] = track
        self._next += 1
        return track.id

    def _grow(self, track: Track, layer: int, regions: list[Region], learning: bool) -> None:
        area = sum(region.area_px for region in regions)
        track.areas.append(area)
        if not regions:
            return
        box = _union([_box(region) for region in regions])
        track.layers += 1
        track.last_layer = layer
        track.max_area_px = max(track.max_area_px, area)
        if track.background and learning:
            # Growth within the first layers counts as well: the first area is what is compared.
            track.first_area_px = track.first_area_px or area
        if track.background and area > self._growth * track.first_area_px:
            track.background = False
        # A background's place is that of the first layers, so that it cannot wander.
        if not track.background:
            track.box = box
        elif learning:
            track.box = _union([track.box, box])


def _box(region: Region) -> Box:
    return (region.x, region.y, region.x + region.width, region.y + region.height)


def _union(boxes: Sequence[Box]) -> Box:
    left, top, right, bottom = zip(*boxes, strict=True)
    return (min(left), min(top), max(right), max(bottom))
