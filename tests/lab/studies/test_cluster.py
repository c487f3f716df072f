from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from lwam_mm.lab.studies.cluster import ClusterEngine, ClusterError, Preemptible, parse_parameters


class Count:
    """Stands for a job: leaves a trace."""

    def __init__(self, file):
        self.file = file

    def __call__(self):
        with self.file.open("a") as file:
            file.write("run\n")
        if self.file.name == "bad":
            raise ValueError("out of light")


def test_parameters_are_read_as_python():
    texts = ["slurm_partition=gpu", "timeout_min=240", "slurm_setup=['module load x']", "name=a=b"]
    assert parse_parameters(texts) == dict(
        slurm_partition="gpu", timeout_min=240, slurm_setup=["module load x"], name="a=b"
    )
    with pytest.raises(ClusterError, match="give KEY=VALUE"):
        parse_parameters(["gpu"])


def test_a_missing_submitit_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ClusterError, match=r"pip install 'lwam-mm\[cluster\]'"):
        ClusterEngine("slurm", tmp_path, {})


def test_jobs_run_by_submitit_and_fail_alone(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    engine = ClusterEngine("local", tmp_path / "cluster", dict(timeout_min=1))
    good, bad = (engine.submit(Count(tmp_path / name)) for name in ("good", "bad"))
    end = time.monotonic() + 60
    while not (good.done() and bad.done()) and time.monotonic() < end:
        time.sleep(0.1)
    good.result()
    assert (tmp_path / "good").read_text() == "run\n"
    with pytest.raises(Exception, match="out of light"):
        bad.result()


def test_a_preempted_job_is_handed_in_again_as_it_is(tmp_path):
    pytest.importorskip("submitit")
    job = Preemptible(Count(tmp_path / "trace"))
    again = job.checkpoint()
    assert again.function is job


def test_an_unknown_parameter_is_an_error(tmp_path):
    pytest.importorskip("submitit")
    with pytest.raises(ClusterError, match="slurm_partitoin"):
        ClusterEngine("local", tmp_path, dict(slurm_partitoin="gpu"))
