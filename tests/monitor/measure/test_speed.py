"""Measuring and deciding must leave the time of a layer to the model."""

import time

import cv2
import numpy as np

from lwam_mm.monitor.decide.decider import Decider
from lwam_mm.monitor.decide.decision import SeenLayer
from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.monitor.measure.background import Background
from lwam_mm.monitor.measure.find_regions import find_regions
from lwam_mm.monitor.measure.parts import PartMap
from lwam_mm.monitor.measure.plate import Plate

CLASSES = ["Background", "Super", "Incomplete", "Hopping", "Streaking", "Lattice"]


def test_fifty_regions_of_a_large_frame_take_less_than_10_ms():
    draw = np.random.default_rng(0)
    labels = np.zeros((1024, 1024), np.uint8)
    for at in range(50):
        centre = (at % 8 * 125 + 60, at // 8 * 140 + 60)
        axes = tuple(int(axis) for axis in draw.integers(4, 40, 2))
        cv2.ellipse(labels, centre, axes, 0, 0, 360, 1 + at % 5, -1)
    parts = np.zeros(labels.shape, np.uint8)
    cv2.circle(parts, (500, 500), 200, 1, -1)
    corners = [(0, 0), (1023, 0), (1023, 1023), (0, 1023)]
    plate = Plate(corners, [(0, 250), (250, 250), (250, 0), (0, 0)])
    background = Background(layers=1)
    background.learn(np.roll(labels, 300, axis=0))
    known = dict(
        roi=np.ones(labels.shape, bool),
        probabilities=draw.random((6, 1024, 1024), np.float32),
        plate=plate,
        parts=PartMap(parts),
        background=background,
    )
    rules = [Rule(name, "critical", 10, layers=2, of=3) for name in CLASSES[1:]]
    decider = Decider(Policy(tuple(rules)))
    times = []
    for number in range(30):
        start = time.perf_counter()
        regions = find_regions(labels, CLASSES, **known)
        decider.decide(SeenLayer(number, tuple(regions)))
        times.append(time.perf_counter() - start)
    assert len(regions) >= 50
    # The best of them: others use the machine as well.
    assert min(times) < 0.010
