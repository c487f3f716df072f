"""Layers of a build with coarse and fine defects and standing marks, seen by a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lwam_mm.datasets.classes import IGNORE_INDEX
from lwam_mm.datasets.synthetic.build import Build, draw_defects, powder_of
from lwam_mm.datasets.synthetic.chamber_view.camera import Camera, expose, look, sample_camera
from lwam_mm.datasets.synthetic.chamber_view.distractors import spatter, standing_marks
from lwam_mm.datasets.synthetic.chamber_view.fine_defects import DRAW_FINE
from lwam_mm.datasets.synthetic.noise import generator
from lwam_mm.datasets.synthetic.scene import BACKGROUND, Canvas

_CAMERA, _MARKS, _LAYER = 101, 102, 103  # apart from the build's own keys

_CLEAN_SHARE = 0.35  # layers without any defect: most real ones have none
_COARSE_SHARE = 0.55  # of the others, those with the build's own events
_FINE_SHARE = 0.3  # of the others, those with one kind of fine defects, each
_SPATTER_SHARE = 0.2


@dataclass(frozen=True)
class ChamberView:
    """A build as its camera sees it: what all of its layers share."""

    build: Build
    camera: Camera
    marks: np.ndarray  # factor on the powder's grey level, float32 (size, size)
    unclear: np.ndarray  # where a label would be a matter of opinion, bool (size, size)

    @classmethod
    def of(cls, build: Build) -> ChamberView:
        """Sample the view of a build; equal builds have equal views."""
        marks, unclear = standing_marks(build.scene, generator(*build.key, _MARKS))
        return cls(build, sample_camera((*build.key, _CAMERA)), marks, unclear)

    def draw_layer(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw one layer as the camera stores it.

        Args:
            layer: 0 to ``build.layers - 1``.

        Returns:
            The image, uint8 (size, size), grey levels, and the mask, uint8 (size, size): class
            indices as in ``lwam_mm.datasets.classes.CLASSES``, and 255 where nobody could say.
        """
        scene = self.build.scene
        rng = generator(*self.build.key, _LAYER, layer)
        canvas = Canvas(scene.size)
        if rng.random() >= _CLEAN_SHARE:
            if rng.random() < _COARSE_SHARE:
                draw_defects(self.build, layer, canvas)
            for draw in DRAW_FINE.values():
                if rng.random() < _FINE_SHARE:
                    draw(canvas, scene, rng)
        canvas.factor *= self.marks
        canvas.mask[self.unclear & (canvas.mask == BACKGROUND)] = IGNORE_INDEX
        if rng.random() < _SPATTER_SHARE:
            factor, ignored = spatter(scene, rng)
            canvas.factor *= factor
            canvas.mask[ignored] = IGNORE_INDEX
        bed, mask = powder_of(self.build, layer, canvas)
        frame, mask = look(self.camera, bed, mask)
        return expose(self.camera, frame, layer), mask
