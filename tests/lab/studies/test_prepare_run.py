from __future__ import annotations

import pytest

from lwam_mm.lab.studies.prepare_run import Preparation, refuse_begun
from lwam_mm.lab.studies.run import runs_of
from lwam_mm.lab.studies.study import StudyError


def begin(run, finished=False):
    run.folder.mkdir(parents=True)
    (run.folder / "pieces.json").write_text("[]")
    if finished:
        run.result_file.write_text("{}")


def test_runs_that_are_there_are_refused_by_name(make_study, tmp_path):
    study = make_study()
    runs = runs_of(study, tmp_path)
    refuse_begun(study, runs)
    begin(runs[1], finished=True)
    begin(runs[2])
    with pytest.raises(StudyError) as caught:
        refuse_begun(study, runs)
    assert f"{runs[1].folder} (finished)" in str(caught.value)
    assert f"{runs[2].folder} (begun)" in str(caught.value)
    assert str(runs[0].folder) not in str(caught.value)
    assert "--resume" in str(caught.value)


def test_another_studys_finished_runs_are_welcome(write_study, make_study, tmp_path):
    write_study("other")
    study = make_study(arms={"a": {}, "b": dict(study="other.py")})
    runs = runs_of(study, tmp_path, arms=["b"])
    begin(runs[0], finished=True)
    refuse_begun(study, runs)
    begin(runs[1])
    with pytest.raises(StudyError, match="1 run"):
        refuse_begun(study, runs)


def test_a_begun_run_keeps_its_config_and_the_change_is_said(make_study, tmp_path):
    def jobs(width):
        said = []
        study = make_study(arms={"a": {}, "b": dict(overrides={"model.width": width})})
        (run,) = runs_of(study, tmp_path, arms=["b"], seeds=[0])
        prepare = Preparation(None, None, said.append)
        prepare.check(run)
        prepare.job(run, None)
        return run, said

    run, _ = jobs(8)
    assert "width=8" in run.config_file.read_text()
    jobs(9)
    assert "width=9" in run.config_file.read_text()  # not begun: follows the study
    begin(run)
    assert jobs(9)[1] == []
    _, said = jobs(10)
    assert "width=9" in run.config_file.read_text()
    assert len(said) == 1
    assert "small/b/seed-0 keeps the config that it began with" in said[0]
