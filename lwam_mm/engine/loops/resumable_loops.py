"""Training loops that go on after any iteration as if nothing had happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.dist import get_rank
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.runner.base_loop import BaseLoop
from mmengine.runner.loops import _InfiniteDataloaderIterator
from mmengine.runner.utils import calc_dynamic_intervals
from torch import nn

from lwam_mm.datasets.samplers.seeded_sampler import SeededSampler
from lwam_mm.utils.seeding import seed_everything

VALIDATED = "validated_iter"
"""Where the message hub, and so a checkpoint, keeps the iteration of the last validation."""

_DRAWN = "drawn_in_epoch"
_SEED = "sampler_seed"
_ITERATION = 2  # a stream of random numbers, beside those of the sampler


class _Resumable:
    """What both loops share.

    Everything random in an iteration depends on the seed and the iteration's number: the images
    and their augmentation through ``SeededSampler``, dropout and the like by seeding anew. So
    nothing of it has to be kept, and a checkpoint needs the count of iterations alone.
    """

    runner: Any
    dataloader: Any
    infinite: bool  # whether the sampler has to be

    def _take_up(self) -> None:
        """Find out where the run stands, and validate if it was stopped in front of that.

        Raises:
            ValueError: the data loader has another sampler, or a data set whose augmentation
                does not follow it.
        """
        sampler, hub = self.dataloader.sampler, self.runner.message_hub
        if not isinstance(sampler, SeededSampler) or sampler.infinite != self.infinite:
            raise ValueError(
                f"{type(self).__name__} cannot go on in the middle with this "
                f"{type(sampler).__name__}: set train_dataloader.sampler=dict("
                f"type='SeededSampler', infinite={self.infinite}), or train_cfg.type="
                f"'{type(self).__bases__[-1].__name__}' to do without"
            )
        dataset = self.dataloader.dataset
        if not getattr(dataset, "augments_by_draw", False):
            raise ValueError(
                f"{type(self).__name__} cannot go on exactly with this {type(dataset).__name__}, "
                "whose augmentation does not follow the sampler: set train_dataloader.dataset="
                "dict(type='SeededDataset', dataset=...) around it, or train_cfg.type="
                f"'{type(self).__bases__[-1].__name__}' to do without"
            )
        # A seed that the first start drew is not in the config.
        sampler.seed = hub.get_info(_SEED, sampler.seed)
        hub.update_info(_SEED, sampler.seed)
        # A checkpoint of another loop does not say; such a run went on without.
        hub.update_info(VALIDATED, hub.get_info(VALIDATED, self.runner.iter))
        if hub.get_info(_DRAWN, 0) == 0 and hub.get_info(VALIDATED) != self.runner.iter:
            self._validate_if_due()

    @property
    def _batch(self) -> int:
        """Images in a batch of all processes together."""
        return self.dataloader.batch_sampler.batch_size * self.dataloader.sampler.world_size

    def _seed_iteration(self) -> None:
        seed_everything(self.dataloader.sampler.seed, _ITERATION, self.runner.iter, get_rank())


@LOOPS.register_module()
class ResumableEpochTrainLoop(_Resumable, EpochBasedTrainLoop):
    """mmengine's ``EpochBasedTrainLoop`` that also goes on within an epoch.

    A run that was stopped between training an epoch and validating it begins with the validation.
    Takes a data loader with ``SeededSampler``.
    """

    infinite = False

    def run(self) -> nn.Module:
        """Train, from where the run stands to its end."""
        self.runner.call_hook("before_train")
        self._take_up()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_epoch(self) -> None:
        """Train what is left of an epoch."""
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        drawn = self.runner.message_hub.get_info(_DRAWN, 0)
        self.dataloader.sampler.begin_at(drawn)
        for idx, data_batch in enumerate(self.dataloader, start=drawn // self._batch):
            self.run_iter(idx, data_batch)
        self.runner.message_hub.update_info(_DRAWN, 0)
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Train on one batch, the ``idx``-th of the epoch."""
        self._seed_iteration()
        # In front of the hooks: one of them may save a checkpoint.
        self.runner.message_hub.update_info(_DRAWN, (idx + 1) * self._batch)
        super().run_iter(idx, data_batch)

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and (self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs)
        ):
            self.runner.val_loop.run()


@LOOPS.register_module()
class ResumableIterTrainLoop(_Resumable, IterBasedTrainLoop):
    """mmengine's ``IterBasedTrainLoop`` that goes on without reading what it has trained on.

    Upstream's loads all those images once more and throws them away. A run that was stopped in
    front of a validation begins with it. Takes a data loader with an infinite ``SeededSampler``.
    """

    infinite = True

    def __init__(
        self,
        runner: Any,
        dataloader: Any,
        max_iters: int,
        val_begin: int = 1,
        val_interval: int = 1000,
        dynamic_intervals: list[tuple[int, int]] | None = None,
    ) -> None:
        # Not upstream's: it would begin to read images here, before the run knows where it is.
        BaseLoop.__init__(self, runner, dataloader)
        self._max_iters, self._max_epochs = int(max_iters), 1
        self._epoch = self._iter = 0
        self.val_begin, self.val_interval = val_begin, val_interval
        self.stop_training = False
        self.runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, "metainfo", None)
        self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(
            val_interval, dynamic_intervals
        )

    def run(self) -> nn.Module:
        """Train, from where the run stands to its end."""
        self.runner.call_hook("before_train")
        self._take_up()
        # One long epoch to the hooks, as upstream has it.
        self.runner.call_hook("before_train_epoch")
        self.dataloader.sampler.begin_at(self._iter * self._batch)
        self.dataloader_iterator = _InfiniteDataloaderIterator(self.dataloader)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._validate_if_due()
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        """Train on one batch."""
        self._seed_iteration()
        super().run_iter(data_batch)

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._iter >= self.val_begin
            and (self._iter % self.val_interval == 0 or self._iter == self._max_iters)
        ):
            self.runner.val_loop.run()
