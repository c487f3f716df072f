"""One process of many that predict an archive; Ray runs it as an actor."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

from lwam_mm.runtime.archive.work_list import Outcome, Stamp, Task
from lwam_mm.runtime.predict_files import has_results, predict_file
from lwam_mm.runtime.predictor import Predictor


class Worker:
    """Predicts batches of images.

    Args:
        packed: The pickled predictor.
        out: Folder for results, absolute.
        probabilities: Also write the classes' probabilities.
    """

    def __init__(self, packed: bytes, out: Path, probabilities: bool) -> None:
        self._packed, self._out, self._probabilities = packed, out, probabilities

    def start(self) -> list[Outcome]:
        """Open the bundle.

        Returns:
            Nothing was predicted yet.

        Raises:
            BundleError: The bundle is not the same here.
        """
        # Not in __init__, where Ray hides the reason of an error.
        self._predictor: Predictor = pickle.loads(self._packed)
        return []

    def predict(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Predict those that have no results yet."""
        return [self._predict(task) for task in tasks]

    def _predict(self, task: Task) -> Outcome:
        stamp = _stamp(task.file)  # before it is read: what changes then is predicted again
        kept = stamp is not None and stamp == task.predicted
        if kept and has_results(self._out, task.name, self._probabilities):
            return Outcome(task, None)
        predictor, out = self._predictor, self._out
        result = predict_file(predictor, task.file, task.name, out, self._probabilities)
        return Outcome(task, result, stamp)


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
