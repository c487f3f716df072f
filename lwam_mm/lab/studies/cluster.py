"""Runs on a cluster, by submitit: Slurm, or its local executor for a trial.

On one machine runs are plain processes instead (:mod:`~lwam_mm.lab.studies.schedule`): submitit's
local executor starts everything at once and does not pin processes to cores.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lwam_mm.lab.studies.study import StudyError


class Preemptible:
    """A job that Slurm may end and start again: it resumes from its newest checkpoint."""

    def __init__(self, job: Callable[..., None]) -> None:
        self._job = job

    def __call__(self) -> None:
        """Run the job."""
        self._job()

    def checkpoint(self) -> Any:
        """Return what submitit starts after a time-out or preemption: the same job."""
        return _import_submitit().helpers.DelayedSubmission(self)


class ClusterQueue:
    """Submits jobs to a cluster.

    Args:
        cluster: ``"slurm"``, or ``"local"`` for processes of this machine.
        folder: Folder for submitit's scripts and logs, which every node must see.
        parameters: Parameters of submitit, such as
            ``dict(slurm_partition="gpu", timeout_min=240)``.

    Raises:
        StudyError: If submitit is not installed, or does not know a parameter.
    """

    def __init__(self, cluster: str, folder: Path, parameters: dict[str, Any]) -> None:
        try:
            submitit = _import_submitit()
        except ImportError as error:
            raise StudyError(
                f"--cluster {cluster}: submitit is not installed; pip install 'lwam-mm[cluster]'"
            ) from error
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
            self._executor.update_parameters(name="lwam-ablation", **parameters)
        except Exception as error:  # submitit's errors have no common base
            raise StudyError(f"--cluster {cluster}: {error}") from error

    def submit(self, job: Callable[..., None]) -> Any:
        """Submit a job; the result has the methods of a future."""
        return self._executor.submit(Preemptible(job))

    def close(self) -> None:
        """Do nothing: jobs on a cluster outlive this process."""


def _import_submitit() -> Any:
    # Configuring its logging on import would close every log file that is open in this process.
    # For this import alone: the jobs inherit the environment.
    level = os.environ.pop("SUBMITIT_LOG_LEVEL", None)
    os.environ["SUBMITIT_LOG_LEVEL"] = "NOCONFIG"
    try:
        import submitit.helpers
    finally:
        del os.environ["SUBMITIT_LOG_LEVEL"]
        if level is not None:
            os.environ["SUBMITIT_LOG_LEVEL"] = level
    return submitit


def parse_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Parse ``KEY=VALUE`` into submitit's parameters; numbers and lists as in Python.

    Raises:
        StudyError: If there is no ``=``.
    """
    parameters = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise StudyError(f"{text!r}: use KEY=VALUE, such as slurm_partition=gpu")
        try:
            parameters[key] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            parameters[key] = value
    return parameters
