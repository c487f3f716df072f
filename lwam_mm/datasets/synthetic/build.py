"""A build: one printer, one part layout, and consecutive layers."""

from dataclasses import dataclass

import numpy as np

from lwam_mm.datasets.synthetic import printer as appearance
from lwam_mm.datasets.synthetic.defects import DRAW
from lwam_mm.datasets.synthetic.noise import generator
from lwam_mm.datasets.synthetic.part_grid import sample_scene
from lwam_mm.datasets.synthetic.printer import Printer, sample_printer
from lwam_mm.datasets.synthetic.scene import Canvas, Lifetime, Scene
from lwam_mm.datasets.synthetic.schedule import Event, plan_events

_PRINTER, _LAYOUT, _EVENTS, _SHAPES, _LAYER = range(5)


@dataclass(frozen=True)
class Build:
    """What the layers of a build share."""

    key: tuple[int, int]  # (seed, index), which determine the build
    layers: int  # number of layers that can be drawn
    printer: Printer
    scene: Scene
    events: tuple[Event, ...]
    # Grey level of undisturbed powder without grain, 0..255, float32 (size, size).
    ground: np.ndarray
    cover: np.ndarray  # share of each pixel that is powder bed, 0..1, float32 (size, size)
    surround: np.ndarray  # grey level of the chamber beside the bed, 0..255, float32 (size, size)


def make_build(seed: int, index: int, size: int, layers: int) -> Build:
    """Sample a build; equal arguments give equal builds.

    Args:
        seed: Seed of the data set, 0 or more.
        index: Number of the build within the data set.
        size: Frame height and width, px, 32 or more.
        layers: Number of layers, 1 or more.

    Example:
        >>> build = make_build(seed=0, index=0, size=64, layers=4)
        >>> image, mask = draw_layer(build, layer=2)
        >>> image.shape, image.dtype
        ((64, 64), dtype('uint8'))
    """
    key = (seed, index)
    printer = sample_printer((*key, _PRINTER))
    scene = sample_scene((*key, _LAYOUT), printer, size)
    light = appearance.lighting(printer, size)
    outlines = 1 + appearance.plate_outline(printer, size)
    outlines += appearance.part_traces(printer, scene)
    return Build(
        key=key,
        layers=layers,
        printer=printer,
        scene=scene,
        events=plan_events(generator(*key, _EVENTS), layers),
        ground=printer.level * light * outlines,
        cover=appearance.powder_cover(printer, size),
        surround=printer.level * light * appearance.chamber(printer, size),
    )


def draw_layer(
    build: Build, layer: int, *, with_defects: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one layer, 0 to ``build.layers - 1``, as the camera sees it after recoating.

    Args:
        build: The build.
        layer: Number of the layer.
        with_defects: False draws the same powder, grain for grain, without the defects.

    Returns:
        The image, uint8 (size, size), grey levels, and the mask, uint8 (size, size), class
        indices as in ``lwam_mm.datasets.classes.CLASSES``.
    """
    if not 0 <= layer < build.layers:
        raise ValueError(f"layer {layer} does not exist: the build has 0 to {build.layers - 1}")
    canvas = Canvas(build.scene.size)
    if with_defects:
        draw_defects(build, layer, canvas)
    frame, mask = powder_of(build, layer, canvas)
    image = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
    if build.printer.mirrored:
        image, mask = image[:, ::-1].copy(), mask[:, ::-1].copy()
    return image, mask


def draw_defects(build: Build, layer: int, canvas: Canvas) -> None:
    """Draw what the build's events show in a layer."""
    shown = [e for e in build.events if 0 <= layer - e.start < e.duration]
    for defect, draw in DRAW.items():
        for event in shown:
            if event.defect == defect:
                rng = generator(*build.key, _LAYER, event.key, layer)
                lifetime = Lifetime(layer, layer - event.start, event.duration, rng)
                draw(canvas, build.scene, generator(*build.key, _SHAPES, event.key), lifetime)


def powder_of(build: Build, layer: int, canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    """Return the grey levels of a layer with its surroundings, float32 (size, size), and its mask.

    The frame is not yet mirrored.
    """
    fresh = appearance.fresh_powder(build.printer, build.scene.size, layer)
    powder = build.ground * fresh * canvas.factor
    frame = build.surround + build.cover * (powder - build.surround)
    return frame, np.where(build.cover >= 0.5, canvas.mask, 0).astype(np.uint8)
