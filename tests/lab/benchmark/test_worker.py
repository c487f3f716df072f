from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time

import pytest

from lwam_mm.lab.benchmark import worker
from lwam_mm.lab.benchmark.worker import describe_error


def serve(monkeypatch, call, requests=2) -> list[dict]:
    monkeypatch.setattr(worker, "load", lambda task: call)
    lines = [json.dumps(dict(function="a:b")), *['"run"'] * (requests - 1)]
    answers = io.StringIO()
    worker.serve(io.StringIO("\n".join(lines)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_one_call_per_request_with_its_result(monkeypatch):
    results = iter([dict(loss=0.5), 0.25, object()])
    answers = serve(monkeypatch, lambda: next(results), requests=3)
    assert [answer["result"] for answer in answers] == [dict(loss=0.5), 0.25, None]
    assert {key for answer in answers for key in answer} == {"load", "ms", "busy", "peak", "result"}
    assert all(answer["ms"] >= 0 for answer in answers)


def test_each_call_settles_before_its_answer_and_outside_its_time(monkeypatch):
    answers, settled = io.StringIO(), []

    def settle():
        time.sleep(0.2)
        settled.append(len(answers.getvalue().splitlines()))

    monkeypatch.setattr(worker, "settle", settle)
    monkeypatch.setattr(worker, "load", lambda task: lambda: time.sleep(0.03))
    worker.serve(io.StringIO('{"function": "a:b"}\n"run"\n'), answers)
    assert settled == [0, 1]
    for line in answers.getvalue().splitlines():
        assert 30 <= json.loads(line)["ms"] < 200


def test_loading_and_the_first_call_are_told_apart(monkeypatch):
    def load(task):
        time.sleep(0.05)
        return lambda: time.sleep(0.01)

    answers = io.StringIO()
    monkeypatch.setattr(worker, "load", load)
    worker.serve(io.StringIO('{"function": "a:b"}\n'), answers)
    found = json.loads(answers.getvalue())
    assert found["load"] >= 50
    assert 10 <= found["ms"] < 50


def test_processor_time_is_what_the_call_computes(monkeypatch):
    def call() -> None:
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        time.sleep(0.2)

    for answer in serve(monkeypatch, call):
        assert 50 <= answer["busy"] < 150
        assert answer["ms"] >= 250


def test_a_failure_is_reported_and_ends_the_service(monkeypatch):
    def fail() -> None:
        raise RuntimeError("out of powder")

    assert serve(monkeypatch, fail) == [dict(error="RuntimeError: out of powder")]


def test_peak_memory_remembers_what_is_freed():
    code = (
        "from lwam_mm.lab.benchmark.worker import peak_memory\n"
        "before = peak_memory()\n"
        "large = bytearray(b'1') * 100_000_000\n"
        "del large\n"
        "print(before, peak_memory())\n"
    )
    # With a parent that holds more, as the benchmark does after exporting everything.
    ballast = bytearray(b"1") * 300_000_000
    before, after = map(float, subprocess.check_output([sys.executable, "-c", code]).split())
    del ballast
    assert before < 100
    assert before + 95 < after < before + 110


def test_settling_waits_for_threads_that_spin_and_no_longer():
    code = (
        "import threading, time\n"
        "from lwam_mm.lab.benchmark.worker import settle\n"
        "end = time.monotonic() + 0.3\n"
        "def spin():\n"
        "    while time.monotonic() < end: pass\n"
        "threading.Thread(target=spin).start()\n"
        "settle()\n"
        "assert time.monotonic() >= end - 0.01\n"
        "start = time.monotonic()\n"
        "settle()\n"
        "assert time.monotonic() < start + 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_settling_waits_for_threads_that_wait_for_a_processor(monkeypatch):
    monkeypatch.setattr(time, "process_time", lambda: 0.0)  # as if the thread got none
    end = time.monotonic() + 0.3

    def spin() -> None:
        while time.monotonic() < end:
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    worker.settle()
    assert time.monotonic() >= end - 0.01
    thread.join()


def test_settling_gives_up(monkeypatch):
    monkeypatch.setattr(worker, "_LONGEST_SETTLING_SECONDS", 0.05)
    monkeypatch.setattr(time, "process_time", time.monotonic)  # as if a thread never slept
    start = time.monotonic()
    worker.settle()
    assert 0.05 <= time.monotonic() - start < 1


def test_runtime_tasks_import_no_torch():
    code = (
        "import sys, lwam_mm.lab.benchmark.worker as worker\n"
        "task = dict(function='lwam_mm.lab.benchmark.worker:file_to_map', bundle='nowhere',\n"
        "            picture='', threads=1)\n"
        "try: worker.load(task)\n"
        "except Exception as error: assert 'nowhere' in str(error), error\n"
        "else: raise SystemExit('a bundle that does not exist was loaded')\n"
        "assert not {'torch', 'mmengine', 'mmcv', 'mmseg'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_error_is_described_on_one_line():
    assert describe_error(ValueError("one\n  two")) == "ValueError: one two"
    long = describe_error(RuntimeError("x" * 5000))
    assert len(long) < 400
    assert long.endswith("...")


def test_an_error_without_a_message_is_located():
    def fail() -> None:
        raise AssertionError

    with pytest.raises(AssertionError) as caught:
        fail()
    assert describe_error(caught.value) == "AssertionError: in test_worker.py: raise AssertionError"
