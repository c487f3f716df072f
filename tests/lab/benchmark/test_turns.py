from __future__ import annotations

import pytest

from lwam_mm.lab.benchmark.turns import WARM_UP, Worker, WorkerError, rounds_between, take_turns

PRODUCTS = dict(name="torch_products", rows=4, side=4, depth=1, threads=1)


class FakeWorker:
    """Notes its calls in a shared list; its job says how long it takes and when it dies."""

    log: list[str] = []  # noqa: RUF012  shared on purpose

    def __init__(self, job, threads):
        self.job, self.calls = job, 0
        if job.get("broken"):
            raise WorkerError("cannot be loaded")

    def run(self) -> float:
        self.calls += 1
        if self.calls > self.job.get("dies_after", 1000):
            raise WorkerError("died")
        self.log.append(self.job["key"])
        return self.job["ms"]

    def peak_memory(self) -> float:
        return 123.0

    def close(self) -> None:
        self.log.append(f"end {self.job['key']}")


@pytest.fixture
def log():
    FakeWorker.log = []
    return lambda: FakeWorker.log


def fake(**jobs):
    jobs = {key: dict(job, key=key) for key, job in jobs.items()}
    return lambda rounds: take_turns(jobs, 1, rounds, open_worker=FakeWorker)


def test_one_call_of_each_row_a_round(log):
    results = fake(a=dict(ms=1.0), b=dict(ms=2.0), c=dict(ms=3.0))(rounds=3)
    loading = [key for key in "abc" for _ in range(WARM_UP)]
    assert log() == [*loading, *("abc" * 3), "end a", "end b", "end c"]
    assert [results[key].milliseconds for key in "abc"] == [[1.0] * 3, [2.0] * 3, [3.0] * 3]
    assert results["a"].peak == 123.0


def test_slow_rows_skip_rounds(log):
    results = fake(quick=dict(ms=10.0), slow=dict(ms=2500.0))(rounds=7)
    assert len(results["quick"].milliseconds) == 7
    assert len(results["slow"].milliseconds) == 3
    assert [rounds_between(ms) for ms in (0, 999, 1000, 2500)] == [1, 1, 2, 3]


def test_a_row_that_dies_leaves_the_others_alone(log):
    results = fake(
        dies=dict(ms=1.0, dies_after=WARM_UP + 2),
        broken=dict(ms=1.0, broken=True),
        lives=dict(ms=1.0),
    )(rounds=5)
    assert results["dies"].error == "died"
    assert len(results["dies"].milliseconds) == 2
    assert results["dies"].peak is None
    assert results["broken"].error == "cannot be loaded"
    assert len(results["lives"].milliseconds) == 5
    assert results["lives"].error == ""


def test_a_real_worker_measures():
    worker = Worker(PRODUCTS, threads=1)
    try:
        assert worker.load > 0
        assert worker.first > 0
        assert worker.run() > 0
        assert worker.peak_memory() > 50
    finally:
        worker.close()


def test_a_job_that_fails_says_why():
    with pytest.raises(WorkerError, match=r"^RuntimeError: set_num_threads"):
        Worker(dict(PRODUCTS, threads="two"), threads=1)


def test_a_process_that_dies_says_how():
    worker = Worker(PRODUCTS, threads=1)
    try:
        worker._process.kill()
        with pytest.raises(WorkerError, match="its process was killed by signal 9"):
            worker.run()
    finally:
        worker.close()


def test_a_process_that_hangs_is_given_up():
    with pytest.raises(WorkerError, match=r"no answer within 0\.01 s"):
        Worker(PRODUCTS, threads=1, patience=0.01)
