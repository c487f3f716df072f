"""The number of layers of each build and the split that it belongs to."""

from dataclasses import dataclass

from lwam_mm.datasets.splits import SPLITS

HELD_OUT_SHARE = 0.15
"""Share of the images for validation, and the same share for testing."""
LAYERS_PER_BUILD = 8


@dataclass(frozen=True)
class BuildPlan:
    """A build's place in the data set."""

    index: int
    split: str
    layers: int


def plan_builds(images: int, layers_per_build: int = LAYERS_PER_BUILD) -> tuple[BuildPlan, ...]:
    """Distribute three or more images over builds and builds over splits, training first."""
    held_out = max(1, round(HELD_OUT_SHARE * images))
    shares = {"train": images - 2 * held_out, "val": held_out, "test": held_out}
    plans: list[BuildPlan] = []
    for split in SPLITS:
        builds = max(1, round(shares[split] / layers_per_build))
        for number in range(builds):
            layers = shares[split] // builds + (number < shares[split] % builds)
            plans.append(BuildPlan(len(plans), split, layers))
    return tuple(plans)
