"""The tool itself, its trainings replaced by a few lines."""

from __future__ import annotations

import re
import runpy
import signal

import pytest
import study_fixtures

from lwam_mm.lab.studies.study import StudyError

stub_tools, write_study = study_fixtures.stub_tools, study_fixtures.write_study


@pytest.fixture
def ablate(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    main = runpy.run_path(str(repository / "tools" / "ablate.py"))["main"]
    return lambda *argv: main([str(argument) for argument in argv])


def test_one_failure_is_named_and_the_rest_is_there(
    ablate, write_study, stub_tools, tmp_path, capsys
):
    traces = stub_tools("""
        (traces / f"{folder.parent.name}-{folder.name}").touch()
        if folder.parent.name == "b" and not (traces / "mended").exists():
            sys.exit("error: no light")
    """)
    study = write_study()
    assert ablate(study, "--seeds", "0") == 1
    printed = capsys.readouterr()
    assert "error: small/b/seed-0: error: no light (see work_dirs/" in printed.err
    assert "small/a/seed-1 is not begun" in printed.out
    page = tmp_path / "work_dirs" / "ablations" / "small" / "small.md"
    assert re.search(r"\| a +\| +50.00 \|", page.read_text())

    with pytest.raises(StudyError, match="seed-0 \\(finished\\)"):
        ablate(study, "--seeds", "0")
    (traces / "mended").touch()
    (traces / "a-seed-0").unlink()
    assert ablate(study, "--resume", "--out", "docs") == 0
    assert not (traces / "a-seed-0").exists()
    assert (traces / "b-seed-1").exists()
    assert {file.name for file in (tmp_path / "docs").iterdir()} == {
        "small.csv", "small.md", "small_seeds.png", "small_classes.png",
    }  # fmt: skip


def test_report_trains_nothing(ablate, write_study, stub_tools, tmp_path):
    traces = stub_tools("(traces / 'trained').touch()")
    assert ablate(write_study(), "--report") == 0
    assert not (traces / "trained").exists()
    assert (tmp_path / "work_dirs" / "ablations" / "small" / "small.csv").is_file()


def test_a_wrong_override_shows_before_anything_is_trained(ablate, write_study, stub_tools):
    traces = stub_tools("(traces / 'trained').touch()")
    study = write_study(arms={"a": {}, "b": dict(overrides={"modle.width": 8})})
    with pytest.raises(Exception, match="there is no 'modle'"):
        ablate(study)
    assert not (traces / "trained").exists()


def test_jobs_and_cluster_do_not_go_together(ablate, write_study):
    with pytest.raises(SystemExit):
        ablate(write_study(), "--jobs", 2, "--cluster", "local")


@pytest.mark.parametrize("choice", [("--arms", "a"), ("--seeds", 0)])
def test_a_report_is_of_everything(ablate, write_study, choice):
    with pytest.raises(SystemExit):
        ablate(write_study(), "--report", *choice)


def test_ctrl_c_ends_it_with_a_word(ablate, write_study, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("lwam_mm.lab.studies.schedule.run_all", interrupted)
    assert ablate(write_study()) == 75
    assert "continue with --resume" in capsys.readouterr().out
