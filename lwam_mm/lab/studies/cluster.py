"""Runs on a cluster, by submitit: Slurm, or its local executor to try the road.

The runs of one machine are plain processes instead (:mod:`~lwam_mm.lab.studies.scheduler`):
submitit's local executor starts everything at once and pins nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lwam_mm.lab.studies.run_job import Job
from lwam_mm.utils.errors import UserError

if TYPE_CHECKING:  # a job that starts on a node is spared what the schedule needs
    from lwam_mm.lab.studies.scheduler import Handle


class ClusterError(UserError):
    """The cluster cannot be used as asked."""


class Preemptible:
    """A job that Slurm may end and start again: it goes on from its newest checkpoint.

    Args:
        job: the job.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    def __call__(self) -> None:
        """Run the job."""
        self.job()

    def checkpoint(self) -> Any:
        """Say, as submitit asks on a time-out or preemption, how to go on."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class ClusterEngine:
    """Hands jobs to a cluster.

    Args:
        cluster: ``"slurm"``, or ``"local"`` for processes of this machine.
        folder: for submitit's scripts and logs; every node has to see it.
        parameters: submitit's, such as ``dict(slurm_partition="gpu", timeout_min=240)``.

    Raises:
        ClusterError: submitit is not installed, or a parameter is unknown to it.
    """

    def __init__(self, cluster: str, folder: Path, parameters: dict[str, Any]) -> None:
        try:
            import submitit
        except ImportError as error:
            raise ClusterError(
                f"--cluster {cluster}: submitit is not installed; pip install 'lwam-mm[cluster]'"
            ) from error
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
            self._executor.update_parameters(name="lwam-ablation", **parameters)
        except Exception as error:  # submitit has no common base for these
            raise ClusterError(f"--cluster {cluster}: {error}") from error

    def submit(self, job: Job) -> Handle:
        """Queue a job."""
        return self._executor.submit(Preemptible(job))

    def close(self) -> None:
        """Leave the queue as it is: jobs on a cluster outlive this process."""


def parse_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` as submitit's parameters; numbers and lists as in Python.

    Raises:
        ClusterError: there is no ``=``.
    """
    parameters = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise ClusterError(f"{text!r}: give KEY=VALUE, such as slurm_partition=gpu")
        try:
            parameters[key] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            parameters[key] = value
    return parameters
