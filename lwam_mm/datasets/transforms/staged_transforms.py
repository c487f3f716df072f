"""Other transforms early in a training than late."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from mmcv.transforms import Compose
from mmseg.registry import TRANSFORMS

from lwam_mm.datasets.seeded_dataset import completed_passes
from lwam_mm.datasets.transforms.transform import Transform


@TRANSFORMS.register_module()
class StagedTransforms(Transform):
    """Apply the transforms of the stage that the training is in.

    Two uses. Small crops first take less time, and teach most of what large ones do (progressive
    learning, Tan and Le 2021, arXiv 2104.00298). Whole, unscaled images at the end show the net
    what it is tested on (YOLOX ends its mosaics early, Ge et al. 2021, arXiv 2107.08430). A stage
    is told by the number of passes over the data set, so it is the same after a resume.

    Args:
        stages: The transforms of each stage, as in a pipeline; two stages or more.
        ends: After how many passes each stage but the last is over, rising. Without a
            ``SeededSampler``, which counts the passes, the last stage always applies.

    Raises:
        ValueError: ``ends`` are no numbers that rise from 1, or not one less than ``stages``.
    """

    def __init__(self, stages: Sequence[Sequence[dict]], ends: Sequence[int]) -> None:
        if len(stages) < 2 or not _rise(ends, len(stages) - 1):
            raise ValueError(
                f"StagedTransforms has ends={ends!r} for {len(stages)} stages. Remedy: give two "
                "stages or more, and a list of ends: for each stage but the last, after how many "
                "passes over the data set it is over, rising whole numbers of 1 or more."
            )
        self.stages = [Compose(stage) for stage in stages]
        self.ends = list(ends)

    def transform(self, results: dict) -> dict | None:
        """Apply the transforms of the present stage."""
        passes = completed_passes()
        stage = len(self.ends) if passes is None else bisect_right(self.ends, passes)
        return self.stages[stage](results)


def stage_starts(dataset: Any) -> list[int]:
    """List after how many passes over a data set its augmentation changes, from 0, in order.

    Args:
        dataset: The data set's config, with all that it wraps.
    """
    starts = {0}
    if isinstance(dataset, Mapping):
        if dataset.get("type") == "StagedTransforms":
            starts.update(dataset["ends"])
        dataset = list(dataset.values())
    if isinstance(dataset, (list, tuple)):
        starts.update(*map(stage_starts, dataset))
    return sorted(starts)


def _rise(ends: Any, count: int) -> bool:
    if not isinstance(ends, (list, tuple)) or len(ends) != count:
        return False
    if not all(isinstance(end, int) for end in ends):
        return False
    return all(early < late for early, late in zip([0, *ends], ends, strict=False))
