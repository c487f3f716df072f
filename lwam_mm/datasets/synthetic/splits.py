"""The number of layers of each build and the split that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

SPLITS = ("train", "val", "test")
HELD_OUT_SHARE = 0.15
"""Share of the images for validation, and the same share for testing."""
LAYERS_PER_BUILD = 8


@dataclass(frozen=True)
class BuildPlan:
    """A build's place in the data set.

    Attributes:
        index: Number of the build, from 0.
        split: "train", "val" or "test", for the whole build.
        layers: Number of its layers.
    """

    index: int
    split: str
    layers: int


def plan_builds(images: int) -> tuple[BuildPlan, ...]:
    """Distribute images over builds and builds over splits.

    Args:
        images: Number of images, 3 or more, so that each split has a build.

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
