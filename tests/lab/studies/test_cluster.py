from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from lwam_mm.lab.studies.cluster import ClusterQueue, Preemptible, parse_parameters
from lwam_mm.lab.studies.study import StudyError


def test_parameters_are_read_as_python():
    texts = ["slurm_partition=gpu", "timeout_min=240", "slurm_setup=['module load x']", "name=a=b"]
    assert parse_parameters(texts) == dict(
        slurm_partition="gpu", timeout_min=240, slurm_setup=["module load x"], name="a=b"
    )
    with pytest.raises(StudyError, match="use KEY=VALUE"):
        parse_parameters(["gpu"])


def test_a_missing_submitit_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(StudyError, match=r"pip install 'lwam-mm\[cluster\]'"):
        ClusterQueue("slurm", tmp_path, {})


def test_log_files_of_this_process_stay_open(tmp_path):
    code = f"""
import logging
log = logging.FileHandler({str(tmp_path / "run.log")!r})
from lwam_mm.lab.studies.cluster import ClusterQueue
ClusterQueue("local", {str(tmp_path)!r}, {{}})
assert log.stream is not None
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_jobs_run_by_submitit_and_fail_alone(tmp_path):
    queue = ClusterQueue("local", tmp_path / "cluster", dict(timeout_min=1))
    good = queue.submit(partial(Path.write_text, tmp_path / "good", "run\n"))
    bad = queue.submit(partial(int, "out of light"))
    end = time.monotonic() + 60
    while not (good.done() and bad.done()) and time.monotonic() < end:
        time.sleep(0.1)
    good.result()
    assert (tmp_path / "good").read_text() == "run\n"
    with pytest.raises(Exception, match="out of light"):
        bad.result()


def test_a_preempted_job_is_submitted_again_unchanged():
    job = Preemptible(print)
    again = job.checkpoint()
    assert again.function is job


def test_an_unknown_parameter_is_an_error(tmp_path):
    pytest.importorskip("submitit")
    with pytest.raises(StudyError, match="slurm_partitoin"):
        ClusterQueue("local", tmp_path, dict(slurm_partitoin="gpu"))
