"""All that is known about one build and step, and what it makes of the next image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from lwam_mm.monitor.config.config import MonitorConfig, plate_of
from lwam_mm.monitor.decide.decision import Decision, SeenLayer
from lwam_mm.monitor.frame.health import FrameHealth
from lwam_mm.monitor.frame.judge import FrameJudge
from lwam_mm.monitor.measure.background import Background
from lwam_mm.monitor.measure.find_regions import find_regions
from lwam_mm.monitor.measure.parts import PartMap, PartNumbers
from lwam_mm.monitor.measure.region import Region
from lwam_mm.monitor.measure.region_of_interest import region_of_interest
from lwam_mm.monitor.record.classes import build_classes
from lwam_mm.monitor.record.recorded_layers import take_up
from lwam_mm.monitor.record.store import mask_path
from lwam_mm.monitor.record.tables import Build, Layer
from lwam_mm.monitor.watch.source import read_recorded
from lwam_mm.runtime import Predictor
from lwam_mm.utils.errors import UserError

# After a restart so many of the last frames are judged again; older ones hardly matter.
_JUDGED_AGAIN = 100

PARTS_MASK = "parts_{}"
"""Name of the mask that keeps a step's `PartNumbers`."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was seen in one image.

    Attributes:
        health: The judgement of the frame.
        labels: uint8 of shape (H, W); None if the model was not asked.
        regions: The regions; None if the model was not asked.
    """

    health: FrameHealth
    labels: np.ndarray | None = None
    regions: tuple[Region, ...] | None = None


class Inspector:
    """Looks at the images of one build and step in the order of their recording.

    Args:
        config: The config.
        predictor: The bundle.
        session: Reads what was recorded of the build; everything is then as it was.
        build: The build.
        step: Which step of the layers.
        parts: Returns each pixel's part by a file's name; see `Source.parts`.

    Attributes:
        part_memory: What the next start has to know of the parts' numbers, to be saved as the mask
            `PARTS_MASK`; None if the last image brought nothing new.
    """

    def __init__(
        self,
        config: MonitorConfig,
        predictor: Predictor,
        session: Session,
        build: Build,
        step: str,
        parts: Callable[[str], np.ndarray | None],
    ) -> None:
        self._config, self._predictor = config, predictor
        self._plate, self._known_parts = plate_of(config), parts
        layers_learned = config.policy.background_layers
        self._background = Background(layers_learned, config.measure.background_reach_px)
        known = config.record.folder / mask_path(build.name, PARTS_MASK.format(step))
        self._numbers = PartNumbers(_read_png(known))
        self.part_memory: np.ndarray | None = None
        layers = session.scalars(
            select(Layer)
            .where(Layer.build_id == build.id, Layer.step == step, Layer.state != "missing")
            .order_by(Layer.id)
        ).all()
        size = config.frame.size or _first_size(layers)
        self._judge = FrameJudge(replace(config.frame, size=size))
        # Of another size are those before `frame.size` was changed: nothing is learned from them.
        layers = [layer for layer in layers if (layer.image_width, layer.image_height) == size]
        self._judge_again(layers)
        classes = build_classes(session, build.id)
        for layer in [layer for layer in layers if layer.state == "inspected"][:layers_learned]:
            labels = _read_png(config.record.folder / (layer.mask_path or ""))
            if labels is not None:  # maybe by an earlier model
                labels = classes.translate(labels, layer.model_sha256, predictor.classes)
                self._background.learn(labels)
        self._decider = take_up(session, build.name, step, config.policy)

    @property
    def last(self) -> int | None:
        """The layer that is followed last (see `LayerOrder`); None before the first."""
        return self._decider.last

    def look(self, name: str, pixels: np.ndarray) -> Inspection:
        """Judge a frame, and if it is usable ask the model.

        Args:
            name: The file's name; its mask of parts has the same.
            pixels: uint8 of shape (H, W, 3), BGR.
        """
        self.part_memory = None
        roi = self._roi(pixels.shape[:2])
        health = self._judge.judge(pixels, roi)
        if not health.usable:
            return Inspection(health)
        prediction = self._predictor(pixels, probabilities=self._config.model.probabilities)
        regions = find_regions(
            prediction.labels,
            self._predictor.classes,
            roi=roi,
            probabilities=prediction.probabilities,
            plate=self._plate,
            parts=self._parts(name),
            background=self._background,
            least_px=self._config.measure.least_px,
        )
        return Inspection(health, prediction.labels, tuple(regions))

    def decide(
        self, number: int, inspection: Inspection, reason: str | None, again: bool
    ) -> Decision:
        """Decide about a layer.

        Args:
            number: The layer.
            inspection: What was seen.
            reason: Why it does not count; None if it does.
            again: The layer was there before, with another image.
        """
        regions = inspection.regions if reason is None else None
        seen = SeenLayer(number, regions, inspection.health, reason, again)
        decision = self._decider.decide(seen)
        if decision.verdict != "not_inspected" and inspection.labels is not None:
            self._background.learn(inspection.labels)
        return decision

    def _judge_again(self, layers: Sequence[Layer]) -> None:
        white_level = self._predictor.bundle.manifest.input.white_level
        usable = [layer for layer in layers if _is_usable(layer)]
        first = usable[: self._config.frame.first_frames]
        for layer in [*first, *usable[len(first) :][-_JUDGED_AGAIN:]]:
            try:
                pixels = read_recorded(layer.path or "", white_level).pixels
                roi = self._roi(pixels.shape[:2])
            except UserError:
                continue  # moved away since, or of another size than the mask: the others must do
            self._judge.judge(pixels, roi)

    def _roi(self, size: tuple[int, int]) -> np.ndarray | None:
        roi = self._config.measure.roi
        return None if roi is None else region_of_interest(roi, size)

    def _parts(self, name: str) -> PartMap | None:
        parts = self._known_parts(name)
        if parts is None:
            return None
        if parts.dtype != np.int32:
            parts = self._numbers.number(parts)
            self.part_memory = self._numbers.memory
        return PartMap(parts)


def _is_usable(layer: Layer) -> bool:
    return FrameHealth.from_json(layer.health).usable


def _first_size(layers: Sequence[Layer]) -> tuple[int, int] | None:
    """Return width and height of the first usable frame, which may be moved away by now."""
    first = next((layer for layer in layers if _is_usable(layer)), None)
    if first is None or first.image_width is None or first.image_height is None:
        return None
    return first.image_width, first.image_height


def _read_png(path: Path) -> np.ndarray | None:
    # OpenCV prints a warning about each file that is not there.
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    return None if image is None else np.asarray(image, np.uint8)
