"""Training loops that can be resumed after any iteration with the same result."""

from __future__ import annotations

import math
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
from lwam_mm.datasets.transforms.staged_transforms import stage_starts
from lwam_mm.utils.errors import ConfigError
from lwam_mm.utils.seeding import seed_everything

VALIDATED = "validated_iter"
"""Key of the last validation's iteration in the message hub, and so in checkpoints."""

_DRAWN = "drawn_in_epoch"
_SEED = "sampler_seed"
_ITERATION_STREAM = 2  # of random numbers; the sampler has others


class _Resumable:
    """The common part of both loops.

    Everything random in an iteration depends only on the seed and the iteration's number: images
    and augmentation through ``SeededSampler``, dropout and the like because each iteration sets
    the seed. A checkpoint therefore stores the number of iterations, and no random state.
    """

    runner: Any
    dataloader: Any
    infinite: bool  # what the sampler must be
    _max_epochs: int
    _max_iters: int

    def _restore_position(self) -> None:
        """Restore the position of the run, and validate if it was stopped just before that.

        Raises:
            ConfigError: The data loader has another sampler, or a data set whose augmentation
                does not follow the sampler.
        """
        sampler, hub = self.dataloader.sampler, self.runner.message_hub
        if not isinstance(sampler, SeededSampler) or sampler.infinite != self.infinite:
            raise ConfigError(
                f"{type(self).__name__} cannot resume within an epoch with this "
                f"{type(sampler).__name__}: set train_dataloader.sampler=dict("
                f"type='SeededSampler', infinite={self.infinite}), or train_cfg.type="
                f"'{type(self).__bases__[-1].__name__}' for a loop that does not"
            )
        dataset = self.dataloader.dataset
        if not getattr(dataset, "augments_by_draw", False):
            raise ConfigError(
                f"{type(self).__name__} cannot resume exactly with this {type(dataset).__name__}, "
                "whose augmentation does not follow the sampler: set train_dataloader.dataset="
                "dict(type='SeededDataset', dataset=...) around it, or train_cfg.type="
                f"'{type(self).__bases__[-1].__name__}' for a loop that does not"
            )
        # A seed drawn at the first start is not in the config.
        sampler.seed = hub.get_info(_SEED, sampler.seed)
        hub.update_info(_SEED, sampler.seed)
        # Checkpoints of other loops do not have it; they resume without the validation.
        hub.update_info(VALIDATED, hub.get_info(VALIDATED, self.runner.iter))
        if hub.get_info(_DRAWN, 0) == 0 and hub.get_info(VALIDATED) != self.runner.iter:
            self._validate_if_due()
        self._warn_of_what_is_not_trained()

    def _warn_of_what_is_not_trained(self) -> None:
        length = "train_cfg.max_iters" if self.infinite else "train_cfg.max_epochs"
        if self.runner.iter >= self._max_iters:
            self.runner.logger.warning(
                f"{self.runner.iter} of {self._max_iters} iterations are done already: there is "
                f"nothing to train. Remedy: to train longer, raise {length}; to start a new "
                "training from the weights that load_from names, leave out --resume."
            )
        passes = self._max_epochs
        if self.infinite:
            passes = math.ceil(self._max_iters * self._batch / len(self.dataloader.dataset))
        loader = self.runner.cfg.get("train_dataloader") or {}
        starts = [start for start in stage_starts(loader) if start >= passes]
        if starts:
            self.runner.logger.warning(
                f"the training has {passes} passes over the data set, so the stages of "
                f"StagedTransforms that begin after {', '.join(map(str, starts))} are never "
                f"reached. Remedy: lower its ends in train_dataloader, or raise {length}."
            )

    @property
    def _batch(self) -> int:
        """The number of images in the global batch, of all processes together."""
        return self.dataloader.batch_sampler.batch_size * self.dataloader.sampler.world_size

    def _seed_iteration(self) -> None:
        seed_everything(
            self.dataloader.sampler.seed, _ITERATION_STREAM, self.runner.iter, get_rank()
        )


@LOOPS.register_module()
class ResumableEpochTrainLoop(_Resumable, EpochBasedTrainLoop):
    """mmengine's ``EpochBasedTrainLoop`` that also resumes within an epoch.

    A run that was stopped between an epoch and its validation begins with the validation. The data
    loader needs a ``SeededSampler``.
    """

    infinite = False

    def run(self) -> nn.Module:
        """Train from the restored position to the end."""
        self.runner.call_hook("before_train")
        self._restore_position()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_epoch(self) -> None:
        """Train the rest of an epoch."""
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
        """Train on one batch.

        Args:
            idx: Position of the batch in the epoch, from 0.
            data_batch: The batch.
        """
        self._seed_iteration()
        # Before the hooks run, because one of them may save a checkpoint.
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
    """mmengine's ``IterBasedTrainLoop`` that resumes without reading the earlier images again.

    Upstream loads all images of the earlier iterations and discards them. A run that was stopped
    just before a validation begins with the validation. The data loader needs an infinite
    ``SeededSampler``.
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
        # Not upstream's __init__: it starts to read images, before the position is restored.
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
        """Train from the restored position to the end."""
        self.runner.call_hook("before_train")
        self._restore_position()
        # For the hooks the training is one long epoch, as upstream.
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
