from __future__ import annotations

import contextlib

import pytest

from lwam_mm.lab.benchmark import timing
from lwam_mm.lab.benchmark.timing import (
    WARM_UP,
    StartUp,
    Timing,
    WorkerError,
    WorkerProcess,
    import_seconds,
    round_interval,
    time_interleaved,
    time_start_up,
)

PRODUCTS = dict(
    function="lwam_mm.lab.benchmark.worker:torch_products", rows=4, side=4, depth=1, threads=1
)


class FakeProcess(contextlib.AbstractContextManager):
    """Notes its calls in a shared list; its task holds their durations and when it dies."""

    log: list[str] = []  # noqa: RUF012  shared on purpose

    def __init__(self, task, threads):
        self.task, self.peak = task, 123.0
        if task.get("broken"):
            raise WorkerError("cannot be loaded")
        self.results = ["first"]

    def run(self) -> float:
        if len(self.results) > self.task.get("dies_after", 1000):
            raise WorkerError("died")
        self.log.append(self.task["key"])
        durations = self.task["ms"]
        ms = durations[min(len(self.results), len(durations)) - 1]
        self.results.append(ms)
        self.busy = self.task.get("busy", ms)
        return ms

    def __exit__(self, *_) -> None:
        self.log.append(f"end {self.task['key']}")


@pytest.fixture
def log(monkeypatch):
    monkeypatch.setattr(timing, "WorkerProcess", FakeProcess)
    FakeProcess.log = []
    return lambda: FakeProcess.log


def fake(rounds, progress=lambda line: None, **tasks):
    tasks = {key: dict(task, key=key) for key, task in tasks.items()}
    return time_interleaved(tasks, 1, rounds, progress)


def test_one_call_of_each_task_per_round(log):
    found = fake(3, a=dict(ms=[1.0]), b=dict(ms=[2.0]), c=dict(ms=[3.0]))
    loading = [key for key in "abc" for _ in range(WARM_UP)]
    assert log()[:-3] == [*loading, *("abc" * 3)]
    assert sorted(log()[-3:]) == ["end a", "end b", "end c"]
    assert [found[key].milliseconds for key in "abc"] == [[1.0] * 3, [2.0] * 3, [3.0] * 3]
    assert found["a"].results == ["first", *[1.0] * (WARM_UP + 3)]
    assert found["a"].peak == 123.0


def test_slow_tasks_skip_rounds(log):
    found = fake(7, quick=dict(ms=[10.0]), slow=dict(ms=[2500.0]))
    assert len(found["quick"].milliseconds) == 7
    assert len(found["slow"].milliseconds) == 3
    assert [round_interval(ms) for ms in (0, 999, 1000, 2500)] == [1, 1, 2, 3]


def test_the_last_call_of_the_warm_up_says_how_slow_a_task_is(log):
    earlier, last = [5000.0] * (WARM_UP - 1), 10.0
    found = fake(4, cold=dict(ms=[*earlier, last]), growing=dict(ms=[last] * (WARM_UP - 1) + [1e3]))
    assert found["cold"].milliseconds == [last] * 4
    assert found["growing"].milliseconds == [1e3] * 2


def test_a_busy_machine_makes_no_task_slow(log):
    found = fake(4, delayed=dict(ms=[1500.0], busy=70.0), threads=dict(ms=[900.0], busy=1800.0))
    assert found["delayed"].milliseconds == [1500.0] * 4
    assert found["threads"].milliseconds == [900.0] * 4


def test_a_task_that_dies_leaves_the_others_alone(log):
    said = []
    found = fake(
        5,
        said.append,
        dies=dict(ms=[1.0], dies_after=WARM_UP + 2),
        broken=dict(ms=[1.0], broken=True),
        lives=dict(ms=[1.0]),
    )
    assert found["dies"].error == "died"
    assert len(found["dies"].milliseconds) == 2
    assert found["dies"].peak is None
    assert found["broken"].error == "cannot be loaded"
    assert len(found["lives"].milliseconds) == 5
    assert found["lives"].error == ""
    assert {"dies: died", "broken: cannot be loaded", "round 5 of 5, 0 s left"} <= set(said)


def test_percentiles_by_hand():
    # 1 .. 200 in any order: half lie at or below 100, 95 % at or below 190, 99 % at or below 198.
    found = Timing([float(value) for value in [*range(200, 100, -1), *range(1, 101)]])
    assert (found.median, found.percentile(95), found.percentile(99)) == (100.5, 190, 198)


def test_the_tail_of_few_calls_is_the_slowest():
    found = Timing([3.0, 1.0, 9.0])
    assert (found.median, found.percentile(95), found.percentile(99)) == (3.0, 9.0, 9.0)
    assert (Timing().median, Timing().percentile(99)) == (None, None)


def test_a_real_process_measures():
    with WorkerProcess(PRODUCTS, threads=1) as worker:
        assert worker.load > 0
        assert worker.first > 0
        assert worker.busy > 0
        assert worker.run() > 0
        assert worker.peak > 50
        assert worker.results == [None, None]
    assert worker._process.returncode == 0


def test_a_task_that_fails_says_why():
    with pytest.raises(WorkerError, match=r"^RuntimeError: set_num_threads"):
        WorkerProcess(dict(PRODUCTS, threads="two"), threads=1)


def test_a_process_that_dies_says_how():
    with WorkerProcess(PRODUCTS, threads=1) as worker:
        worker._process.kill()
        with pytest.raises(WorkerError, match="its process was killed by signal 9"):
            worker.run()


def test_a_process_that_hangs_is_given_up():
    with pytest.raises(WorkerError, match=r"no answer within 0\.01 s"):
        WorkerProcess(PRODUCTS, threads=1, timeout=0.01)


def test_importing_takes_time():
    assert 0 < import_seconds() < 60


def test_a_fresh_process_predicts(student, layers):
    bundle = student.bundle("openvino", frames=True).root
    found = time_start_up("OpenVINO", bundle, layers[0], threads=1)
    assert found.title == "OpenVINO"
    assert found.first_ever > found.later > 0
    assert found.start > found.later
    assert found.peak > 50


def test_the_second_process_is_the_one_that_counts(monkeypatch):
    class FakeStart(FakeProcess):
        loads = iter([2000.0, 500.0])

        def __init__(self, task, threads):
            super().__init__(dict(task, key="", ms=[80.0]), threads)
            self.load, self.first = next(self.loads), 250.0

    monkeypatch.setattr(timing, "WorkerProcess", FakeStart)
    found = time_start_up("INT8", "bundle", "picture.png", threads=1)
    assert found == StartUp("INT8", first_ever=2.25, start=0.75, later=0.08, peak=123.0)
