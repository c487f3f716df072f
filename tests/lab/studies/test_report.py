from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from lwam_mm.lab.studies.plots import draw_classes, draw_seeds
from lwam_mm.lab.studies.report import results_page, write_report
from lwam_mm.lab.studies.results import read_csv, to_csv
from lwam_mm.lab.studies.run import runs_of
from lwam_mm.lab.studies.tables import StudyTables
from lwam_mm.utils.errors import UserError


def cells(text, arm):
    """The cells of an arm's first row."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {arm} "))
    return [cell.strip() for cell in line.split("|")[1:-1]]


@pytest.fixture
def results(make_result):
    return [
        make_result("student", 0, 20.0),
        make_result("student", 1, 22.0, commit="def+"),
        make_result("all", 0, 23.0),
        make_result("all", 1, 24.0),
        make_result("dist", 1, 25.0, metrics={"FalseRegions10": 1.5}),
    ]


ARMS = ["student", "dist", "all", "never"]


def test_table_has_mean_spread_and_paired_difference(results):
    table = StudyTables(results, ARMS, "student", ["mIoU", "FalseRegions10"])
    main = table.main()
    assert cells(main, "student")[1:4] == ["21.00 ± 1.41", "-", "0, 1"]
    # Differences 3 and 2: mean 2.5, sample deviation 0.707, t(0.975, 1) = 12.706.
    assert cells(main, "all")[1:4] == ["23.50 ± 0.71", "+2.50 ± 6.35", "0, 1"]
    assert cells(main, "dist")[1:4] == ["25.00", "+3.00", "1"]  # one seed: no spread
    assert "never" not in main
    assert "`abc`, `def+`" in cells(main, "student")
    command = "`python tools/ablate.py configs/ablations/claim_magnetic-tile.py"
    assert f"{command} --arms student --seeds 0 1`" in cells(main, "student")
    assert cells(table.others(), "dist") == ["dist", "1.50"]
    assert cells(table.others(), "all") == ["all", "-"]
    assert cells(table.by_class(), "student") == ["student", "10.50 ± 0.71"]


def test_a_difference_that_leaves_0_out_is_marked(make_result):
    results = [make_result("a", s, 20.0 + s) for s in range(3)]
    results += [make_result("b", s, 25.0 + s + 0.1 * s) for s in range(3)]
    assert cells(StudyTables(results, ["a", "b"], "a", ["mIoU"]).main(), "b")[2].endswith(" *")


def test_csv_comes_back_as_it_went(results, tmp_path):
    file = tmp_path / "claim.csv"
    results[0].facts["seconds"] = None
    file.write_text(to_csv(results))
    back = read_csv(file)
    assert [result.facts for result in back] == [result.facts for result in results]
    assert [result.metrics for result in back] == [result.metrics for result in results]


def test_a_file_that_is_no_csv_of_a_study_is_refused(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"x\.csv: is no CSV of a study"):
        read_csv(file)
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_csv(tmp_path / "y.csv")


def test_report_is_made_from_whatever_is_finished(make_study, make_result, tmp_path):
    study = make_study()
    runs = runs_of(study, tmp_path, seeds=[0, 1, 4])
    for run, miou in zip(runs, (10.0, 20.0, None, 22.0, 30.0, None), strict=True):
        run.folder.mkdir(parents=True)
        if miou is not None:
            result = make_result(run.arm.name, run.seed, miou)
            run.result_file.write_text(json.dumps(result.facts | dict(metrics=result.metrics)))
    (runs[2].folder / "failure.txt").write_text("error: no light (see train.log)\n")

    files, missing = write_report(study, tmp_path, tmp_path / "out")

    assert [file.name for file in files] == [
        "small.csv", "small_seeds.png", "small_classes.png", "small.md",
    ]  # fmt: skip
    assert missing == [
        "small/a/seed-1 failed: error: no light (see train.log)",
        "small/b/seed-4 is unfinished",
    ]
    page = (tmp_path / "out" / "small.md").read_text()
    assert all(f"- {line}" in page for line in missing)
    assert "which no validation selected" in page
    assert cells(page, "a")[1] == "20.00 ± 14.14"  # seeds 0 and 4; 4 is beyond the study's
    assert cells(page, "b")[2] == "+10.00"  # paired by seed 0 alone
    assert "![mIoU by seed](small_seeds.png)" in page


def test_a_study_without_a_finished_run_has_a_page_that_says_so(make_study, tmp_path):
    files, missing = write_report(make_study(), tmp_path, tmp_path)
    assert [file.name for file in files] == ["small.csv", "small.md"]
    assert len(missing) == 4
    assert "No run is finished." in (tmp_path / "small.md").read_text()


def test_results_of_several_studies_are_one_page(results, tmp_path):
    folder = tmp_path / "docs" / "results"
    folder.mkdir(parents=True)
    (folder / "claim.csv").write_text(to_csv(results))
    page = results_page([folder / "claim.csv"], tmp_path / "docs" / "results.md")
    assert "## Does distillation help?" in page
    assert "Study `configs/ablations/claim_magnetic-tile.py`" in page
    assert "(results/claim_seeds.png)" in page
    assert (folder / "claim_classes.png").is_file()
    assert cells(page, "all")[2] == "+2.50 ± 6.35"


def test_pictures_show_a_dot_a_seed_and_a_row_an_arm(results, monkeypatch):
    from lwam_mm.lab.studies import plots as plot

    drawn = []
    monkeypatch.setattr(plot, "_png", drawn.append)
    table = StudyTables(results, ARMS, "student", ["mIoU"])
    draw_seeds(table)
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["student", "dist", "all"]
    dots = [line.get_xdata() for line in axes.lines if line.get_marker() == "o"]
    assert [list(each) for each in dots] == [[20.0, 22.0], [25.0], [23.0, 24.0]]
    means = [line.get_xdata()[0] for line in axes.lines if line.get_marker() != "o"]
    assert means == [21.0, 25.0, 23.5]
    draw_classes(table)
    axes = drawn[1].axes[0]
    assert {line.get_label(): list(line.get_xdata()) for line in axes.lines} == {
        "student": [10.5], "dist": [12.5], "all": [11.75],
    }  # fmt: skip
    monkeypatch.undo()
    picture = cv2.imdecode(np.frombuffer(draw_seeds(table), np.uint8), cv2.IMREAD_COLOR)
    assert picture.std() > 10
