from __future__ import annotations

import json
import threading
import time
from functools import partial

import pytest

from lwam_mm.engine.hooks.preemption_hook import INTERRUPTED
from lwam_mm.lab.studies.execute_run import Processes, RunError, execute_run
from lwam_mm.lab.studies.run import runs_of


@pytest.fixture
def job(make_study, tmp_path):
    """The first run of a study, as a function that executes it; its folder is an attribute."""
    (run,) = runs_of(make_study("s", amp=True), tmp_path, arms=["a"], seeds=[0])
    run.config_file.parent.mkdir(parents=True)
    run.config_file.write_text("x = 1\n")
    job = partial(execute_run, run, study="configs/s.py", config="configs/c.py", threads=1)
    job.folder = run.folder
    return job


def result_of(job):
    return json.loads((job.folder / "result.json").read_text())


def test_result_says_what_was_run_and_found(job, stub_tools, tmp_path, monkeypatch):
    traces = stub_tools(
        "(traces / 'seen').write_text(' '.join(argv[4:]) + os.environ['OMP_NUM_THREADS'])"
    )
    monkeypatch.chdir(tmp_path)
    job()
    assert (traces / "seen").read_text() == "--amp1"
    result = result_of(job)
    assert result["command"] == "python train.py s/a/seed-0.py --work-dir s/a/seed-0 --amp"
    assert result["metrics"] == {"mIoU": 50.0, "IoU.Crack": 40.0}
    assert result["commit"]
    assert (result["study"], result["arm"], result["seed"]) == ("configs/s.py", "a", 0)
    assert (result["pieces"], result["read_at"]) == (1, "last")
    assert 0 <= result["seconds"] < 60


def test_a_failed_run_says_why_and_goes_on_from_its_checkpoint(job, stub_tools):
    traces = stub_tools("""
        (traces / f"{len(list(traces.iterdir()))}").write_text(" ".join(argv))
        if "--resume" not in argv:
            (folder / "last_checkpoint").write_text("epoch_1.pth")
            print("error: the images ran out")
            print("a closing remark")
            sys.exit(1)
    """)
    with pytest.raises(RunError, match="error: the images ran out"):
        job()
    assert "the images ran out" in (job.folder / "failure.txt").read_text()
    assert not (job.folder / "result.json").exists()
    job()
    assert not (job.folder / "failure.txt").exists()
    assert "--resume" not in (traces / "0").read_text()
    assert "--resume" in (traces / "1").read_text()
    assert result_of(job)["pieces"] == 2


def test_seconds_of_a_killed_piece_are_not_known(job, stub_tools):
    stub_tools("")
    job.folder.mkdir()
    killed = [dict(commit="aaa", command="python train.py", seconds=None)]
    (job.folder / "pieces.json").write_text(json.dumps(killed))
    job()
    result = result_of(job)
    assert result["seconds"] is None
    assert result["commit"].startswith("aaa, ")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9"),
        ("raise ValueError('no such width')", "ValueError: no such width"),
        ("sys.exit(3)", "exit status 3 without output"),
    ],
)
def test_the_last_error_line_is_the_message(job, stub_tools, lines, message):
    stub_tools(lines)
    with pytest.raises(RunError, match=message):
        job()


def test_the_message_is_that_of_the_last_attempt(job, stub_tools):
    stub_tools("raise ValueError('no such width')")
    with pytest.raises(RunError, match="no such width"):
        job()
    stub_tools("sys.exit(3)")
    with pytest.raises(RunError, match="exit status 3 without output"):
        job()


def test_two_trainings_never_share_a_folder(job, stub_tools):
    traces = stub_tools("(traces / 'begun').touch(); time.sleep(1)")
    first = threading.Thread(target=job)
    first.start()
    while not (traces / "begun").exists():
        time.sleep(0.02)
    with pytest.raises(RunError, match="another process is training into"):
        job()
    first.join()
    assert result_of(job)["pieces"] == 1


def test_stop_ends_what_runs_and_lets_nothing_start(job, stub_tools):
    traces = stub_tools("""
        signal.signal(signal.SIGTERM, lambda *_: ((traces / "asked").touch(), sys.exit(0)))
        (traces / "begun").touch()
        time.sleep(30)
    """)
    errors, processes = [], Processes()

    def run():
        try:
            job(processes=processes)
        except RunError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    while not (traces / "begun").exists():
        time.sleep(0.02)
    processes.stop()
    thread.join(10)
    # Although the training ended with status 0: it was asked to.
    assert errors == ["interrupted; continue with --resume"]
    assert not (job.folder / "failure.txt").exists()  # nothing is wrong with it
    assert (traces / "asked").exists()
    assert not (job.folder / "result.json").exists()
    with pytest.raises(RunError, match="interrupted"):
        job(processes=processes)


def test_a_training_that_was_told_to_end_has_not_failed(job, stub_tools):
    stub_tools(f"sys.exit({INTERRUPTED})")
    with pytest.raises(RunError, match="interrupted and saved; continue with --resume"):
        job()
    assert not (job.folder / "failure.txt").exists()
