"""Which build holds how many layers, and on which side of the split it lies."""

from __future__ import annotations

from dataclasses import dataclass

SPLITS = ("train", "val", "test")
HELD_OUT_SHARE = 0.15
"""Share of the images that validation gets, and as much again for the test."""
LAYERS_PER_BUILD = 8


@dataclass(frozen=True)
class BuildPlan:
    """A build's place in the dataset.

    Attributes:
        index: Number of the build, from 0.
        split: "train", "val" or "test": the whole build lies there.
        layers: How many of its layers are drawn.
    """

    index: int
    split: str
    layers: int


def plan_builds(images: int) -> tuple[BuildPlan, ...]:
    """Share images out to builds and builds to splits.

    Args:
        images: Number of images, 3 or more, so that each split gets a build.

    Returns:
        The builds, training first; their layers add up to `images`.
    """
    held_out = max(1, round(HELD_OUT_SHARE * images))
    shares = {"train": images - 2 * held_out, "val": held_out, "test": held_out}
    plans: list[BuildPlan] = []
    for split in SPLITS:
        builds = max(1, round(shares[split] / LAYERS_PER_BUILD))
        for number in range(builds):
            layers = shares[split] // builds + (number < shares[split] % builds)
            plans.append(BuildPlan(len(plans), split, layers))
    return tuple(plans)
