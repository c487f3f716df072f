"""A study in miniature: a teacher, and a student distilled from it with two seeds."""

from __future__ import annotations

import csv
import json

import pytest
from miniature import DISTILLED, NARROW, NO_WORKERS, SHORT, TEACHER

from lwam_mm.utils.paths import configs_folder

pytestmark = pytest.mark.end_to_end


def overrides(config: str) -> dict:
    """The miniature's options as a study says them."""
    pairs = [option.split("=") for option in (*SHORT, *NO_WORKERS, *NARROW[config])]
    return {key: json.loads(value.lower()) for key, value in pairs}


@pytest.fixture
def study(tmp_path):
    demo = configs_folder() / "demo"
    arms = {
        "teacher": dict(config=str(demo / f"{TEACHER}.py"), overrides=overrides(TEACHER)),
        "distilled": dict(overrides=overrides(DISTILLED), teacher="teacher", teacher_seed=0),
    }
    path = tmp_path / "tiny.py"
    path.write_text(
        "title = 'Tiny'\n"
        f"base = {str(demo / f'{DISTILLED}.py')!r}\n"
        f"arms = {arms!r}\n"
        "seeds = [0, 1]\n"
        "compare_with = 'teacher'\n"
    )
    return path


def test_a_study_is_trained_and_reported(study, tiny_data, run_tool, tmp_path):
    data = ("--data-root", tiny_data, "--work-dir", "work")
    run_tool("ablate.py", study, "--arms", "distilled", *data, cwd=tmp_path)

    work = tmp_path / "work" / "tiny"
    results = {
        (arm, seed): json.loads((work / arm / f"seed-{seed}" / "result.json").read_text())
        for arm, seed in (("teacher", 0), ("distilled", 0), ("distilled", 1))
    }
    result = results["distilled", 1]
    assert result["command"].endswith(
        "train.py work/tiny/distilled/seed-1.py --work-dir work/tiny/distilled/seed-1"
    )
    assert {"mIoU", "IoU.Lattice", "RegionRecall10", "FalseDefects50"} <= result["metrics"].keys()
    assert (result["checkpoint"], result["study"]) == ("iter_4.pth", "tiny.py")
    # The student alone, and folded: with the 1x1 branches it has 63 thousand.
    assert result["parameters"] == 57_630
    assert result["metrics"] != results["distilled", 0]["metrics"]
    assert "teacher/seed-0/iter_4.pth" in (work / "distilled" / "seed-1.py").read_text()

    rows = list(csv.DictReader((work / "tiny.csv").open()))
    assert [(row["arm"], row["seed"]) for row in rows] == [
        ("teacher", "0"), ("distilled", "0"), ("distilled", "1"),
    ]  # fmt: skip
    assert " ± " in (work / "tiny.md").read_text()
    assert (work / "tiny_seeds.png").is_file()
