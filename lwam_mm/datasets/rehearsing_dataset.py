"""Real frames with drawn layers among them."""

import random
from typing import Any

from mmengine.config import ConfigDict
from mmseg.registry import DATASETS

from lwam_mm.datasets.powder_bed import PowderBedDataset
from lwam_mm.datasets.problem import DatasetError


@DATASETS.register_module()
class RehearsingDataset(PowderBedDataset):
    """A data set for a net that knows another one already and is not to forget it.

    A net that learned from drawn layers forgets in a few hundred iterations the defects that no
    real frame shows. Here a share of the samples comes from what it knows.

    Args:
        rehearsal: Config of the data set that the net knows, a ``PowderBedDataset`` of the same
            classes.
        rehearsal_share: How many of the samples come from it, 0..1; which one is drawn at random.
        **kwargs: Those of :class:`~lwam_mm.datasets.powder_bed.PowderBedDataset`.

    Raises:
        DatasetError: If the classes differ, or the share is outside 0..1.
    """

    def __init__(self, rehearsal: ConfigDict, rehearsal_share: float = 0.5, **kwargs: Any) -> None:
        if not 0 <= rehearsal_share <= 1:
            raise DatasetError(
                f"{type(self).__name__}: rehearsal_share={rehearsal_share!r} is not a share of the "
                "samples. Remedy: give a value in 0..1."
            )
        super().__init__(**kwargs)
        self.rehearsal: PowderBedDataset = DATASETS.build(rehearsal)
        self.rehearsal_share = rehearsal_share
        ours, theirs = self.metainfo["classes"], self.rehearsal.metainfo["classes"]
        if list(ours) != list(theirs):
            raise DatasetError(
                f"{type(self).__name__}: rehearsal has the classes {list(theirs)}, the frames have "
                f"{list(ours)}. Remedy: give both the same metainfo."
            )

    def prepare_data(self, idx: int) -> Any:
        """Load and augment the sample, or one of the rehearsal in its place."""
        if random.random() < self.rehearsal_share:
            return self.rehearsal.prepare_data(random.randrange(len(self.rehearsal)))
        return super().prepare_data(idx)
