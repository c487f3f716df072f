from __future__ import annotations

import os
from concurrent.futures import Future

import pytest

from lwam_mm.lab.studies import schedule
from lwam_mm.lab.studies.prepare_run import Preparation
from lwam_mm.lab.studies.run import runs_of, with_teachers
from lwam_mm.lab.studies.schedule import LocalQueue, run_all, split_cores
from lwam_mm.lab.studies.study import StudyError

ARMS = {
    "t": dict(config="plain.py"),
    "s": dict(config="plain.py", overrides={"model.width": 1}),
    "d": dict(config="distillation.py", teacher="t"),
}


def test_cores_are_shared_out_and_none_is_used_twice():
    assert split_cores([0, 1, 2, 3, 4], 2) == [(0, 1), (2, 3, 4)]
    assert split_cores([3, 7], 2) == [(3,), (7,)]
    with pytest.raises(StudyError, match="--jobs 3: this process may use 2"):
        split_cores([3, 7], 3)


def run_study(study, root, *, jobs=1, **selection):
    runs = with_teachers(runs_of(study, root, **selection))
    lines = []
    queue = LocalQueue(jobs)
    prepare = Preparation(None, None, lines.append)
    try:
        failed = run_all(runs, prepare.job, queue.submit, lines.append, limit=jobs, pause=0.02)
    finally:
        queue.close()
    return failed, lines


def test_teachers_come_first_and_their_checkpoint_is_handed_on(make_study, stub_tools, tmp_path):
    traces = stub_tools("""
        (traces / f"{time.monotonic_ns()}").write_text(f"{folder.parent.name} {config.read_text()}")
    """)
    study = make_study(arms=ARMS, compare_with="s", seeds=[0])
    failed, _ = run_study(study, tmp_path, arms=["d", "s"])
    assert not failed
    texts = [file.read_text() for file in sorted(traces.iterdir())]
    assert [text.split()[0] for text in texts] == ["t", "d", "s"]
    checkpoint = tmp_path / "small" / "t" / "seed-0" / "iter_4.pth"
    assert f"'{checkpoint}'" in texts[1]


def test_a_failed_run_stops_only_those_that_need_it(make_study, stub_tools, tmp_path):
    stub_tools("sys.exit('error: no light' if folder.parent.name == 't' else 0)")
    study = make_study(arms=ARMS, compare_with="s", seeds=[0])
    failed, lines = run_study(study, tmp_path)
    assert {run.name: why.split(" (")[0] for run, why in failed.items()} == {
        "small/t/seed-0": "error: no light",
        "small/d/seed-0": "not begun: its teacher small/t/seed-0 has no result",
    }
    assert any(line.startswith("finished small/s/seed-0") for line in lines)


def test_finished_runs_are_not_run_again_and_failed_ones_are(make_study, stub_tools, tmp_path):
    traces = stub_tools("""
        (traces / f"{folder.parent.name}{time.monotonic_ns()}").touch()
        sys.exit(folder.parent.name == "b" and not (traces / "mended").exists())
    """)
    study = make_study(seeds=[0])
    failed, _ = run_study(study, tmp_path)
    assert [run.arm.name for run in failed] == ["b"]
    (traces / "mended").touch()
    failed, lines = run_study(study, tmp_path)
    assert not failed
    assert lines[0] == "1 run(s) to do, 1 finished before"
    assert sorted(file.name[0] for file in traces.iterdir()) == ["a", "b", "b", "m"]


def test_as_many_as_there_are_jobs_each_on_its_share(make_study, stub_tools, tmp_path, monkeypatch):
    cores = sorted(os.sched_getaffinity(0))
    shares = split_cores(cores, 2) if len(cores) > 1 else [(cores[0],), (cores[0],)]
    monkeypatch.setattr(schedule, "split_cores", lambda *_: shares)
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    pinned, pin = [], os.sched_setaffinity
    monkeypatch.setattr(os, "sched_setaffinity", lambda *to: (pinned.append(to), pin(*to)))
    traces = stub_tools("""
        mine = traces / f"{folder.parent.name}{folder.name}"
        mine.write_text(f"{sorted(os.sched_getaffinity(0))} {os.environ['OMP_NUM_THREADS']}")
        time.sleep(0.5)
        at_once = [f for f in traces.iterdir() if not (f.suffix or f.with_suffix(".x").exists())]
        mine.with_suffix(".x").write_text(str(len(at_once)))
    """)
    run_study(make_study(), tmp_path, jobs=2)
    seen = {f.read_text() for f in traces.iterdir() if not f.suffix}
    assert seen == {f"{list(share)} {len(share)}" for share in shares}
    assert set(pinned) == {(0, share) for share in shares}
    assert max(int(f.read_text()) for f in traces.glob("*.x")) == 2


def test_pinning_is_of_the_processes_not_of_this_one(make_study, stub_tools, tmp_path):
    before = os.sched_getaffinity(0)
    stub_tools("(traces / 'cores').write_text(str(len(os.sched_getaffinity(0))))")
    run_study(make_study(seeds=[0]), tmp_path)
    assert os.sched_getaffinity(0) == before
    assert (tmp_path / "traces" / "cores").read_text() == str(len(before))


def test_no_more_than_the_limit_is_handed_over(make_study, tmp_path):
    runs = runs_of(make_study(), tmp_path)
    open_jobs, most = [], []

    class Late(Future):
        looks = 0

        def done(self):
            self.looks += 1
            if self.looks > 2 and self in open_jobs:
                open_jobs.remove(self)
                self.set_result(None)
            return super().done()

    def submit(job):
        handle = Late()
        open_jobs.append(handle)
        most.append(len(open_jobs))
        return handle

    run_all(runs, lambda run, weights: run, submit, lambda line: None, limit=3, pause=0)
    assert (len(most), max(most)) == (4, 3)
