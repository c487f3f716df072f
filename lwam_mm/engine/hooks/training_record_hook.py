"""A hook that keeps a model, its checkpoint and its data sets in agreement."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop
from torch import nn

from lwam_mm.models.output_classes import OutputClassesError, check_output_classes
from lwam_mm.models.training_record import META_KEY, TrainingRecord, check_training_record


@HOOKS.register_module()
class TrainingRecordHook(Hook):
    """Write into checkpoints how they were trained, and compare that where one is loaded.

    Our runners have this hook without being told. A test, or a training that resumes, is refused
    if classes, their order, palette or preprocessing of the checkpoint differ from the config's.
    A new training that starts from the weights (``load_from``) gets a warning. So is a run whose
    model predicts another number of classes than its data sets have. ``accept_mismatch=True`` in
    the config turns these errors into warnings.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._validated = TrainingRecord()

    def before_run(self, runner: Runner) -> None:
        """Compare the model's classes with those of each data set of this run.

        Raises:
            lwam_mm.models.output_classes.OutputClassesError: The numbers of classes differ.
        """
        for side in ("train", "val", "test"):
            loop = getattr(runner, f"_{side}_loop")
            if not isinstance(loop, BaseLoop):
                continue
            classes = TrainingRecord.of_run(_model(runner), loop.dataloader.dataset).classes
            if classes is None:
                continue
            try:
                check_output_classes(_model(runner), classes, f"{side}_dataloader")
            except OutputClassesError as error:
                if not _accepts_mismatch(runner):
                    raise
                runner.logger.warning(str(error))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare a checkpoint with the config.

        Raises:
            lwam_mm.models.training_record.TrainingMismatchError: They differ.
        """
        training = isinstance(runner._train_loop, BaseLoop)
        loop = runner.train_loop if training else runner.test_loop or runner.val_loop
        expected = TrainingRecord.of_run(
            _model(runner), None if loop is None else loop.dataloader.dataset
        )
        starts_anew = training and not runner._resume
        check_training_record(
            TrainingRecord.of_checkpoint(checkpoint),
            expected,
            str(getattr(runner, "resumed_from", None) or runner._load_from or "the checkpoint"),
            accept=starts_anew or _accepts_mismatch(runner),
        )

    def before_train(self, runner: Runner) -> None:
        """Compare the classes and colours of a distillation's teacher with the training set's."""
        model = _model(runner)
        record = getattr(model, "teacher_record", TrainingRecord())
        if record.classes is not None:  # its preprocessing was compared when it was loaded
            check_training_record(
                replace(record, preprocessing=None),
                TrainingRecord.of_run(model, runner.train_dataloader.dataset),
                str(model.teacher_ckpt),
                accept=model.accept_mismatch or _accepts_mismatch(runner),
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Forget the scores, which are those of the weights before this iteration."""
        self._validated = TrainingRecord()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Remember the scores of these weights."""
        images = len(runner.val_dataloader.dataset)
        scores = {k: float(v) for k, v in (metrics or {}).items() if isinstance(v, Real)}
        self._validated = TrainingRecord(scores=scores, images=images)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the record into the checkpoint's ``meta``."""
        record = TrainingRecord.of_run(_model(runner), runner.train_dataloader.dataset)
        scores, images = self._validated.scores, self._validated.images
        record = replace(record, scores=scores, images=images)
        checkpoint["meta"][META_KEY] = record.as_plain()


def _model(runner: Runner) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _accepts_mismatch(runner: Runner) -> bool:
    return bool(runner.cfg.get("accept_mismatch", False))
