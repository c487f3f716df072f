from __future__ import annotations

from lwam_mm.lab.benchmark.startup import StartUp, figures_of, import_seconds, start_up


def test_importing_takes_time():
    assert 0 < import_seconds() < 60


def test_a_fresh_process_predicts(student, layers):
    found = start_up("OpenVINO", student.bundle("openvino", frames=True), layers[0], threads=1)
    assert found.title == "OpenVINO"
    assert found.first_ever > found.later > 0
    assert found.start > found.later
    assert found.peak > 50


def test_the_second_process_is_the_one_that_counts(monkeypatch, student):
    class FakeWorker:
        loads = iter([2000.0, 500.0])

        def __init__(self, job, threads):
            self.load, self.first = next(self.loads), 250.0

        def run(self):
            return 80.0

        def peak_memory(self):
            return 300.0

        def close(self):
            pass

    monkeypatch.setattr("lwam_mm.lab.benchmark.startup.Worker", FakeWorker)
    found = start_up("INT8", student.bundle("openvino", frames=True), "picture.png", threads=1)
    assert found == StartUp("INT8", first_ever=2.25, start=0.75, later=0.08, peak=300.0)


def test_what_fails_is_named_and_the_rest_measured():
    def fail() -> StartUp:
        raise RuntimeError("no memory")

    good = StartUp("a", 1, 1, 1, None)
    lines = []
    found, failed = figures_of({"bad": fail, "good": lambda: good}, lines.append)
    assert found == {"good": good}
    assert failed == {"bad": "RuntimeError: no memory"}
    assert lines == ["start-up: bad", "start-up: good"]
