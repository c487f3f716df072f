"""A hook that draws the curves of a training."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.visualization import LocalVisBackend

from lwam_mm.engine.logging.curves import ScalarFile, draw_curves, read_curves
from lwam_mm.utils.errors import ConfigError


@HOOKS.register_module()
class CurvesHook(Hook):
    """Draw loss terms, validation IoU and learning rate as ``curves.png`` in the work dir.

    The picture is drawn when training ends, also by an early stop, and after a validation if it
    is older than ``refresh_seconds``, so a killed training leaves its curves too. A resumed run
    draws the curves from its first start, as far as the files of the earlier runs still exist.
    Checkpoints hold the names of these files in ``meta["scalar_files"]``.

    The curves are read from the files of mmengine's ``LocalVisBackend``. If they cannot be drawn,
    the log says why, and training continues.

    Args:
        refresh_seconds: Age in seconds from which the picture is drawn again after a validation.
            0 draws after each validation, ``float("inf")`` only at the end.

    Raises:
        ConfigError: ``refresh_seconds`` is negative or not a number, or at the start of a training
            the visualizer has no ``LocalVisBackend``.

    Example:
        >>> custom_hooks = [dict(type="CurvesHook")]  # in a config
    """

    # After LoggerHook, which writes the rows that are read here.
    priority = "VERY_LOW"

    def __init__(self, refresh_seconds: float = 60.0) -> None:
        if not isinstance(refresh_seconds, int | float) or not refresh_seconds >= 0:
            raise ConfigError(
                f"CurvesHook: refresh_seconds must be a number of seconds >= 0, got "
                f"{refresh_seconds!r}."
            )
        self.refresh_seconds = refresh_seconds
        self._earlier: list[ScalarFile] = []
        self._current: ScalarFile | None = None
        self._drawn_at = -math.inf

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read which scalar files the resumed runs wrote."""
        if not runner._resume:
            return
        meta = checkpoint.get("meta", {})
        folders = [Path(runner.work_dir)]
        if runner._load_from is not None:
            folders.append(Path(runner._load_from).parent)
        files = [
            ScalarFile(_find(item["path"], folders), item["validation_unit"], item["until"])
            for item in meta.get("scalar_files", [])
        ]
        if files:
            # Iterations logged after the checkpoint will be trained again.
            files[-1] = replace(files[-1], until=meta["iter"])
        self._earlier = files

    def before_train(self, runner: Runner) -> None:
        """Find the file that the scalars are written to.

        Raises:
            ConfigError: The visualizer has no ``LocalVisBackend``.
        """
        backends = runner.visualizer._vis_backends.values()
        local = next((b for b in backends if isinstance(b, LocalVisBackend)), None)
        if local is None:
            raise ConfigError(
                "CurvesHook draws what LocalVisBackend writes, but the visualizer has none: add "
                "dict(type='LocalVisBackend') to its vis_backends, or remove CurvesHook from "
                "custom_hooks."
            )
        self._current = ScalarFile(
            Path(local.experiment._scalar_save_file), _validation_unit(runner)
        )
        self._drawn_at = time.monotonic()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the names of the files that hold the scalars so far."""
        if self._current is None:
            return
        # Plain values only, so that the checkpoint loads with weights_only=True.
        checkpoint["meta"]["scalar_files"] = [
            {
                "path": _relative(file.path, Path(runner.work_dir)),
                "validation_unit": file.validation_unit,
                "until": file.until,
            }
            for file in [*self._earlier, self._current]
        ]

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Draw during a training if the picture is old."""
        if self._current is not None and time.monotonic() - self._drawn_at >= self.refresh_seconds:
            self._draw(runner)

    def after_train(self, runner: Runner) -> None:
        """Draw the whole training."""
        self._draw(runner)
        self._current = None

    def _draw(self, runner: Runner) -> None:
        if not is_main_process():
            return
        path = Path(runner.work_dir) / "curves.png"
        try:
            curves = read_curves([*self._earlier, self._current])
            for problem in curves.problems:
                runner.logger.warning(f"curves: {problem}")
            draw_curves(curves, path, title=runner.experiment_name)
        # No error of the drawing may end a training.
        except Exception as error:
            runner.logger.warning(f"{path} was not drawn: {type(error).__name__}: {error}")
        self._drawn_at = time.monotonic()


def _validation_unit(runner: Runner) -> int | None:
    """Return how many iterations a validation row's step stands for; None if unknown."""
    if not any(isinstance(hook, LoggerHook) and hook.log_metric_by_epoch for hook in runner.hooks):
        return 1
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        return len(runner.train_dataloader)
    return None


def _relative(path: Path, folder: Path) -> str:
    """Return a path inside the folder as relative to it, so that the folder can be moved."""
    path, folder = path.resolve(), folder.resolve()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _find(path: str, folders: list[Path]) -> Path:
    found = next((folder / path for folder in folders if (folder / path).is_file()), None)
    return found or folders[0] / path
