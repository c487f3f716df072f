"""The order in which a training sees its images, from any point on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

# Streams of random numbers that a run's seed is split into.
_ORDER, _AUGMENTATION = 0, 1


class Draw(int):
    """The index of a sample, and how to augment it this time.

    Args:
        index: of the sample in the data set.
        key: for :func:`lwam_mm.utils.seeding.seeded`: another one each time that a run draws.
    """

    key: tuple[int, ...]

    def __new__(cls, index: int, key: tuple[int, ...]) -> Draw:  # noqa: D102  the class's own
        draw = super().__new__(cls, index)
        draw.key = key
        return draw

    def __getnewargs__(self) -> tuple[int, tuple[int, ...]]:
        return int(self), self.key  # on its way to a worker process


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """Draws samples in an order that depends on the seed and the pass over the data set alone.

    It may begin anywhere, which costs nothing, and hands out each index as a :class:`Draw`:
    ``PowderBedDataset`` and ``SeededDataset`` augment by its key, so that neither the number of
    worker processes nor what they did before plays a part. Several processes take turns in one
    order: their joint batches are those of one process with as large a batch.

    Args:
        dataset: the data set.
        shuffle: draw each pass in an order of its own.
        seed: of order and augmentation, the same in all processes; drawn if None.
        infinite: pass over the data set again and again without an end, for training by
            iterations. Otherwise it is one pass, its last samples completed from the front so
            that every process has as many, as mmengine's ``DefaultSampler`` does.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        infinite: bool = False,
    ) -> None:
        self.rank, self.world_size = get_dist_info()
        self.size = len(dataset)
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.infinite = infinite
        self.epoch = 0
        self._first = 0

    def begin_at(self, draws: int) -> None:
        """Leave out the first draws of all processes together when next iterated over."""
        self._first = draws

    def set_epoch(self, epoch: int) -> None:
        """Say which pass comes next; without meaning for an infinite sampler."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Draw]:
        first, self._first = self._first + self.rank, 0
        if self.infinite:
            return self._draws(itertools.count(first, self.world_size), first_pass=0)
        return self._draws(range(first, self._total, self.world_size), first_pass=self.epoch)

    def __len__(self) -> int:
        """Draws of this process; of an infinite sampler, the size of the data set."""
        return self.size if self.infinite else self._total // self.world_size

    @property
    def _total(self) -> int:
        return math.ceil(self.size / self.world_size) * self.world_size

    def _draws(self, positions: Iterable[int], first_pass: int) -> Iterator[Draw]:
        order, order_of = np.empty(0, np.int64), None
        for position in positions:
            further, place = divmod(position, self.size)
            number = first_pass * self._total + position
            if not self.infinite:
                further = 0  # completed from the front
            if order_of != first_pass + further:
                order_of = first_pass + further
                order = self._order(order_of)
            yield Draw(order[place], (self.seed, _AUGMENTATION, number))

    def _order(self, number: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(self.size)
        return np.random.default_rng((self.seed, _ORDER, number)).permutation(self.size)
