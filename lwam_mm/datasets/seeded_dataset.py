"""Data sets that augment each draw in its own way, always the same."""

from __future__ import annotations

from typing import Any

from mmseg.registry import DATASETS

from lwam_mm.datasets.samplers.seeded_sampler import Draw
from lwam_mm.utils.seeding import seeded


class AugmentsByDraw:
    """For a data set's bases, in front: samples that ``SeededSampler`` drew come by their key.

    What the pipeline draws at random then depends on nothing that went before.
    """

    augments_by_draw = True

    def __getitem__(self, idx: int) -> Any:
        """Load and augment one sample; one that ``SeededSampler`` drew always in the same way."""
        if not isinstance(idx, Draw):
            return super().__getitem__(idx)
        with seeded(*idx.key):
            return super().__getitem__(int(idx))


class _Wrapper:
    """Any data set, seen through."""

    def __init__(self, dataset: dict | Any) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset

    def __getitem__(self, idx: int) -> Any:
        return self.dataset[idx]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # asked for while unpickling, when it is not there yet
            raise AttributeError(name)
        return getattr(self.dataset, name)


@DATASETS.register_module()
class SeededDataset(AugmentsByDraw, _Wrapper):
    """Makes any data set one for ``SeededSampler``, and so for trainings that go on exactly.

    ``PowderBedDataset`` needs it only inside of others: mmengine's ``ConcatDataset``,
    ``RepeatDataset`` and ``ClassBalancedDataset`` hand plain indices on. Put it around them::

        dataset=dict(type="SeededDataset", dataset=dict(type="ConcatDataset", datasets=[...]))

    Everything else is asked of the data set inside: ``metainfo``, ``get_data_info``, ...

    Args:
        dataset: the data set, or its config.
    """
