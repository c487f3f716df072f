"""Data sets whose augmentation depends on the draw alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmseg.registry import DATASETS

from lwam_mm.datasets.samplers.seeded_sampler import Draw
from lwam_mm.utils.seeding import seeded

_passes: list[int] = []


def completed_passes() -> int | None:
    """How often the training went through the data set before the sample that is being prepared.

    It reaches transforms in worker processes, and is the same after a resume.

    Returns:
        The number of passes, or None if no ``SeededSampler`` drew the sample.
    """
    return _passes[-1] if _passes else None


@contextmanager
def _after(passes: int) -> Iterator[None]:
    _passes.append(passes)
    try:
        yield
    finally:
        _passes.pop()


class AugmentsByDraw:
    """Mix-in: seed the augmentation of a sample with the key that ``SeededSampler`` drew.

    It has to come first among the base classes.
    """

    augments_by_draw = True

    def __getitem__(self, idx: int) -> Any:
        if not isinstance(idx, Draw):
            return super().__getitem__(idx)
        with seeded(*idx.key), _after(idx.passes):
            return super().__getitem__(int(idx))


class _Wrapper:
    """Wraps any data set; unknown attributes are looked up in it."""

    def __init__(self, dataset: dict | Any) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset

    def __getitem__(self, idx: int) -> Any:
        return self.dataset[idx]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # looked up while unpickling, before it exists
            raise AttributeError(name)
        return getattr(self.dataset, name)


@DATASETS.register_module()
class SeededDataset(AugmentsByDraw, _Wrapper):
    """Wraps any data set for ``SeededSampler``, so that training resumes exactly.

    ``PowderBedDataset`` needs it only inside other wrappers, because mmengine's ``ConcatDataset``,
    ``RepeatDataset`` and ``ClassBalancedDataset`` pass plain indices on. Put it around them::

        dataset=dict(type="SeededDataset", dataset=dict(type="ConcatDataset", datasets=[...]))

    Everything else, such as ``metainfo`` and ``get_data_info``, comes from the wrapped data set.

    Args:
        dataset: The data set, or its config.
    """
