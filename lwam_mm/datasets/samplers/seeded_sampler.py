"""A sampler that can start at any point of its order."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

# A run's seed is split into these streams of random numbers.
_ORDER, _AUGMENTATION = 0, 1


class Draw(int):
    """The index of a sample, the key that seeds its augmentation, and the passes before it."""

    key: tuple[int, ...]
    passes: int

    def __new__(cls, index: int, key: tuple[int, ...], passes: int = 0) -> "Draw":  # noqa: D102
        draw = super().__new__(cls, index)
        draw.key, draw.passes = key, passes
        return draw

    def __getnewargs__(self) -> tuple[int, tuple[int, ...], int]:
        return int(self), self.key, self.passes  # for pickling, to reach worker processes


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """Draws samples in an order that depends only on the seed and the pass over the data set.

    It can start at any draw at no cost, and yields each index as a :class:`Draw`.
    ``PowderBedDataset`` and ``SeededDataset`` seed the augmentation with its key, so that the
    number of worker processes and earlier samples do not matter, and tell transforms how many
    passes were completed before it. Several processes take turns in
    one order: their joint batches are those of one process with the same total batch size.

    Args:
        dataset: The data set.
        shuffle: Whether to draw each pass in a different order.
        seed: Seed of order and augmentation, the same in all processes; drawn if None.
        infinite: Whether to repeat the data set without end, for training by iterations.
            Otherwise it is one pass, padded from its start so that every process has as many
            samples, as mmengine's ``DefaultSampler`` does.
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
        """Skip this many draws, counted over all processes, in the next iteration."""
        self._first = draws

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next pass; an infinite sampler ignores it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Draw]:
        first, self._first = self._first + self.rank, 0
        if self.infinite:
            return self._draws(itertools.count(first, self.world_size), first_pass=0)
        return self._draws(range(first, self._total, self.world_size), first_pass=self.epoch)

    def __len__(self) -> int:
        """Return the draws of this process; if infinite, the size of the data set."""
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
                further = 0  # padded from the start
            passes = first_pass + further
            if order_of != passes:
                order_of, order = passes, self._order(passes)
            yield Draw(order[place], (self.seed, _AUGMENTATION, number), passes)

    def _order(self, number: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(self.size)
        return np.random.default_rng((self.seed, _ORDER, number)).permutation(self.size)
