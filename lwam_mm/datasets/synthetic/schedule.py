"""The layers in which the defects of a build appear."""

from dataclasses import dataclass

import numpy as np

from lwam_mm.datasets.synthetic.scene import DEFECTS, HOPPING, INCOMPLETE, LATTICE, STREAKING, SUPER

COVERAGE = {SUPER: 0.5, INCOMPLETE: 0.25, HOPPING: 0.45, STREAKING: 0.45, LATTICE: 0.35}
"""Share of a build's layers that show each defect: two kinds per layer on average, far more than in
a real build, so that a small data set contains every class."""

_DURATION = {SUPER: (4, 8), INCOMPLETE: (1, 2), HOPPING: (1, 3), STREAKING: (3, 6), LATTICE: (3, 6)}
_MOST_PER_LAYER = 3
# A blade without powder leaves no chatter marks.
_EXCLUDES = {INCOMPLETE: HOPPING, HOPPING: INCOMPLETE}


@dataclass(frozen=True)
class Event:
    """One defect from its first layer to its last."""

    defect: int  # class index
    start: int  # first layer, counted from the build's first drawn layer
    duration: int  # number of layers
    key: int  # seed of the shapes, unique within the build


def plan_events(rng: np.random.Generator, layers: int) -> tuple[Event, ...]:
    """Distribute defects over the layers of a build.

    With two or more layers every defect occurs; a layer shows three kinds at most.
    """
    shown = {defect: np.zeros(layers, bool) for defect in DEFECTS}
    wanted = {defect: max(1, round(COVERAGE[defect] * layers)) for defect in DEFECTS}
    events: list[Event] = []

    def place(defect: int, longest: int) -> bool:
        for duration in range(longest, 0, -1):
            starts = [s for s in range(layers - duration + 1) if fits(defect, s, duration)]
            if starts:
                start = int(rng.choice(starts))
                shown[defect][start : start + duration] = True
                events.append(Event(defect, start, duration, len(events)))
                return True
        return False

    def fits(defect: int, start: int, duration: int) -> bool:
        span = slice(start, start + duration)
        crowd = sum(shown[other][span].astype(int) for other in DEFECTS)
        # Two events of a kind are at least one layer apart.
        around = slice(max(0, start - 1), start + duration + 1)
        rival = _EXCLUDES.get(defect)
        return (
            crowd.max() < _MOST_PER_LAYER
            and not shown[defect][around].any()
            and not (rival is not None and shown[rival][span].any())
        )

    # First one of each kind, the shortest first, because long ones fit more easily.
    order = [INCOMPLETE, HOPPING, *rng.permutation([SUPER, STREAKING, LATTICE]).tolist()]
    for repeat in (False, True):
        for defect in order:
            while shown[defect].sum() < wanted[defect]:
                left = int(wanted[defect] - shown[defect].sum())
                low, high = _DURATION[defect]
                if not place(defect, min(left, int(rng.integers(low, high + 1)))) or not repeat:
                    break
    return tuple(events)
