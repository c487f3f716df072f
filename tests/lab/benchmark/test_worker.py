from __future__ import annotations

import io
import json
import subprocess
import sys
import time

from lwam_mm.lab.benchmark import worker


def serve(monkeypatch, call, *orders) -> list[dict]:
    monkeypatch.setattr(worker, "prepare", lambda job: call)
    answers = io.StringIO()
    worker.serve(io.StringIO("".join(json.dumps(order) + "\n" for order in orders)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_one_call_for_the_job_and_one_for_each_run(monkeypatch):
    calls = []
    answers = serve(monkeypatch, lambda: calls.append(1), dict(name="job"), "run", "run", "memory")
    assert len(calls) == 3
    assert [sorted(answer) for answer in answers] == [["first", "load"], ["ms"], ["ms"], ["peak"]]
    assert all(answer["ms"] >= 0 for answer in answers[1:3])


def test_only_the_call_counts(monkeypatch):
    monkeypatch.setattr(worker, "settle", lambda: time.sleep(0.2))
    answers = serve(monkeypatch, lambda: time.sleep(0.03), dict(name="job"), "run")
    assert answers[1]["ms"] >= 30
    assert answers[1]["ms"] < 200


def test_loading_and_the_first_call_are_told_apart(monkeypatch):
    def load(job):
        time.sleep(0.05)
        return lambda: time.sleep(0.01)

    answers = io.StringIO()
    monkeypatch.setattr(worker, "prepare", load)
    worker.serve(io.StringIO('{"name": "job"}\n'), answers)
    found = json.loads(answers.getvalue())
    assert found["load"] >= 50
    assert found["first"] >= 10


def test_a_failure_is_told_and_ends_it(monkeypatch):
    def fail() -> None:
        raise RuntimeError("out of powder")

    answers = serve(monkeypatch, fail, dict(name="job"), "run")
    assert answers == [dict(error="RuntimeError: out of powder")]


def test_peak_memory_remembers_what_is_freed():
    code = (
        "from lwam_mm.lab.benchmark.worker import peak_memory\n"
        "before = peak_memory()\n"
        "large = bytearray(b'1') * 100_000_000\n"
        "del large\n"
        "print(before, peak_memory())\n"
    )
    # With a parent that holds more, as the benchmark does that has exported everything.
    ballast = bytearray(b"1") * 300_000_000
    before, after = map(float, subprocess.check_output([sys.executable, "-c", code]).split())
    del ballast
    assert before < 100
    assert before + 95 < after < before + 110


def test_settling_waits_for_threads_that_spin():
    code = (
        "import threading, time\n"
        "from lwam_mm.lab.benchmark.worker import settle\n"
        "end = time.monotonic() + 0.3\n"
        "def spin():\n"
        "    while time.monotonic() < end: pass\n"
        "threading.Thread(target=spin).start()\n"
        "settle()\n"
        "assert time.monotonic() >= end - 0.01\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_runtime_jobs_import_no_torch():
    code = (
        "import sys, lwam_mm.lab.benchmark.worker\n"
        "from lwam_mm.lab.benchmark.jobs import prepare\n"
        "try: prepare(dict(name='file_to_map', bundle='nowhere', picture='', threads=1))\n"
        "except Exception as error: assert 'nowhere' in str(error), error\n"
        "else: raise SystemExit('a bundle that is not there was loaded')\n"
        "assert not {'torch', 'mmengine', 'mmcv', 'mmseg'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
