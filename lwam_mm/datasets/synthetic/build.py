"""A build: one machine, one part layout, and layers that follow one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lwam_mm.datasets.synthetic import printer as machines
from lwam_mm.datasets.synthetic.defects import DRAW, Moment
from lwam_mm.datasets.synthetic.noise import generator
from lwam_mm.datasets.synthetic.part_grid import sample_scene
from lwam_mm.datasets.synthetic.printer import Machine, sample_machine
from lwam_mm.datasets.synthetic.scene import Canvas, Scene
from lwam_mm.datasets.synthetic.schedule import Event, plan_events

_MACHINE, _LAYOUT, _EVENTS, _SHAPES, _LAYER = range(5)


@dataclass(frozen=True)
class Build:
    """Everything that the layers of a build share.

    Attributes:
        key: (seed, index), which determine the build.
        layers: Number of layers that can be drawn.
        machine: Camera, light and powder.
        scene: Size and part layout.
        events: The defects over the layers.
        ground: float32 (size, size), grey level of undisturbed powder without grain, 0..255.
        cover: float32 (size, size), how much of each pixel is powder bed, 0..1.
        surround: float32 (size, size), grey level of the chamber beside the bed, 0..255.
    """

    key: tuple[int, int]
    layers: int
    machine: Machine
    scene: Scene
    events: tuple[Event, ...]
    ground: np.ndarray
    cover: np.ndarray
    surround: np.ndarray


def make_build(seed: int, index: int, size: int, layers: int) -> Build:
    """Draw a build at random.

    Args:
        seed: Seed of the dataset, 0 or more.
        index: Number of the build within the dataset.
        size: Frame height and width, px, 32 or more.
        layers: Number of layers, 1 or more.

    Returns:
        The build; equal arguments give equal builds.
    """
    key = (seed, index)
    machine = sample_machine((*key, _MACHINE))
    scene = sample_scene((*key, _LAYOUT), machine, size)
    light = machines.lighting(machine, size)
    still = 1 + machines.plate_outline(machine, size) + machines.part_traces(machine, scene)
    return Build(
        key=key,
        layers=layers,
        machine=machine,
        scene=scene,
        events=plan_events(generator(*key, _EVENTS), layers),
        ground=machine.level * light * still,
        cover=machines.powder_cover(machine, size),
        surround=machine.level * light * machines.chamber(machine, size),
    )


def draw_layer(
    build: Build, layer: int, *, with_defects: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one layer as the camera sees it after recoating.

    Args:
        build: Whose layer.
        layer: Which one, 0 to `build.layers` - 1.
        with_defects: False draws the same powder, grain for grain, without the defects.

    Returns:
        The image, uint8 (size, size), grey levels, and the mask, uint8 (size, size), class
        indices as in `lwam_mm.datasets.classes.CLASSES`.

    Raises:
        ValueError: The build has no such layer.
    """
    if not 0 <= layer < build.layers:
        raise ValueError(
            f"layer {layer} does not exist: this build has layers 0 to {build.layers - 1}"
        )
    size = build.scene.size
    canvas = Canvas(size)
    if with_defects:
        for defect, draw in DRAW.items():
            for event in build.events:
                if event.defect == defect and 0 <= layer - event.start < event.duration:
                    moment = Moment(
                        layer=layer,
                        age=layer - event.start,
                        duration=event.duration,
                        rng=generator(*build.key, _LAYER, event.key, layer),
                    )
                    shape_rng = generator(*build.key, _SHAPES, event.key)
                    draw(canvas, build.scene, shape_rng, moment)
    powder = build.ground * machines.fresh_powder(build.machine, size, layer) * canvas.factor
    frame = build.surround + build.cover * (powder - build.surround)
    mask = np.where(build.cover >= 0.5, canvas.mask, 0).astype(np.uint8)
    image = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
    if build.machine.mirrored:
        image, mask = image[:, ::-1].copy(), mask[:, ::-1].copy()
    return image, mask
