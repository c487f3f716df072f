from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest
from study_fixtures import LATENCY_SETTING, make_latency

from lwam_mm.lab.studies.latency import (
    PRECISIONS,
    StudyLatencies,
    is_latency_file,
    latency_file,
    read_latencies,
)
from lwam_mm.lab.studies.report import results_page, write_report
from lwam_mm.lab.studies.results import to_csv as results_csv
from lwam_mm.lab.studies.run import runs_of
from lwam_mm.lab.studies.study import StudyError


def times(*arms: str, **notes: str) -> StudyLatencies:
    """1.25 ms for the first arm, twice that for the second and so on; INT8 in a tenth of it."""
    found = [
        make_latency(arm, precision, 1.25 * 2**index * share, 4.0, 50, 1000)
        for index, arm in enumerate(arms)
        for precision, share in zip(PRECISIONS, (1, 0.1), strict=True)
    ]
    found += [
        make_latency(arm, p, macs=1000, note=note)
        for arm, note in notes.items()
        for p in PRECISIONS
    ]
    return StudyLatencies(tuple(found))


def cells(text: str, heading: str) -> list[str]:
    """The cells of the row of the main table that begins with a heading."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {heading} "))
    return [cell.strip() for cell in line.split("|")[1:-1]]


@pytest.fixture
def study(make_study):
    return make_study(arms={"a": {}, "b": dict(overrides={"model.width": 8}), "c": {}})


# ---- the file


def test_times_come_back_as_they_went(study, tmp_path):
    latencies = times("a", "b", c='not measured: E: "no, no"')
    (tmp_path / "small_latency.csv").write_text(latencies.to_csv())
    back = read_latencies(tmp_path / "small.csv", study)
    assert back == latencies
    assert (back.ms("b", "float32"), back.ms("b", "int8")) == (2.5, 0.25)
    assert back.ms("c", "float32") is back.ms("never", "int8") is None
    assert back.notes == [f'c, {p}: not measured: E: "no, no"' for p in PRECISIONS]
    assert read_latencies(tmp_path / "other.csv", study) is None


def test_the_name_tells_which_file_it_is():
    file = latency_file(Path("docs/results/peers_magnetic-tile.csv"))
    assert file == Path("docs/results/peers_magnetic-tile_latency.csv")
    assert is_latency_file(file)
    assert not is_latency_file(Path("docs/results/latency.csv"))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda text: "", "there is no row"),
        (lambda text: text.splitlines()[0], "there is no row"),
        (lambda text: text.replace("p95_ms", "p96_ms"), "there is no column p95_ms"),
        (lambda text: text.replace("1.25,", "fast,"), "could not convert string to float: 'fast'"),
        (lambda text: text.replace("1.25,", "nan,"), "nan is no amount"),
        (lambda text: text.replace("1.25,", "inf,"), "inf is no amount"),
        (lambda text: text.replace(",50,", ",-1,"), "-1 is no amount"),
        (lambda text: text[: len(text) - 20], "its rows were not measured together"),
        (lambda text: text.replace("b,", "a,"), "an arm is there twice"),
        (lambda text: text.replace("int8", "int4"), "precision int4"),
        (lambda text: text.replace(",256,", ",large,"), "invalid literal for int"),
        (lambda text: text.encode("utf-16"), "codec can't decode"),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(study, tmp_path, damage, what):
    file = tmp_path / "small_latency.csv"
    damaged = damage(times("a", "b").to_csv())
    file.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    with pytest.raises(StudyError) as raised:
        read_latencies(tmp_path / "small.csv", study)
    message = str(raised.value)
    assert message.startswith(f"{file}: is damaged (")
    assert what in message
    remedy = f"python tools/measure_latency.py {study.path} --out {tmp_path}, or remove the file"
    assert message.endswith(f"; measure again with {remedy}")


def test_times_of_arms_that_the_study_does_not_have_are_refused(study, tmp_path):
    (tmp_path / "small_latency.csv").write_text(times("a", "x", "w").to_csv())
    with pytest.raises(StudyError, match=r"small_latency\.csv: has latencies of w, x, which"):
        read_latencies(tmp_path / "small.csv", study)


# ---- the tables


def test_a_report_shows_times_behind_the_parameters(study, make_result, tmp_path):
    for run in runs_of(study, tmp_path):
        run.folder.mkdir(parents=True)
        result = make_result(run.arm.name, run.seed, 20.0)
        run.result_file.write_text(json.dumps(result.facts | dict(metrics=result.metrics)))
    write_report(study, tmp_path, tmp_path)
    page = (tmp_path / "small.md").read_text()
    assert cells(page, "arm")[4:6] == ["parameters", "minutes"]
    assert "Weights were" not in page

    (tmp_path / "small_latency.csv").write_text(times("a", b="not measured: no").to_csv())
    write_report(study, tmp_path, tmp_path)
    page = (tmp_path / "small.md").read_text()
    assert cells(page, "arm")[4:8] == ["parameters", "ms", "ms INT8", "minutes"]
    assert cells(page, "a")[4:8] == ["0.250 M", "1.25", "0.12", "2.00"]
    assert cells(page, "b")[4:8] == ["0.250 M", "-", "-", "2.00"]  # with a note
    assert cells(page, "c")[4:8] == ["0.250 M", "-", "-", "2.00"]  # younger than the times
    assert "\n- b, float32: not measured: no\n- b, int8: not measured: no\n\n" in page
    for what in (
        "256x256 pixels", "OpenVINO 2026.2", "2 thread(s) of Quick, (R) 9", "50 calls at most",
        "drawn at random", f"on 2026-10-01 with `{LATENCY_SETTING['command']}`",
    ):  # fmt: skip
        assert what in page


def test_a_report_with_damaged_times_leaves_what_was_there(study, tmp_path):
    (tmp_path / "small_latency.csv").write_text("a,b\n1,2\n")
    with pytest.raises(StudyError, match="there is no column arm, calls"):
        write_report(study, tmp_path, tmp_path)
    assert not (tmp_path / "small.csv").exists()


@pytest.fixture
def make_results(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main = runpy.run_path(str(repository / "tools" / "make_results.py"))["main"]
    return lambda *argv: main([str(argument) for argument in argv])


def test_the_results_page_takes_times_for_no_study(make_results, make_result, tmp_path):
    folder = tmp_path / "docs" / "results"
    folder.mkdir(parents=True)
    (folder / "claim_latency.csv").write_text(times("student", "all").to_csv())
    with pytest.raises(SystemExit):
        make_results()

    results = [make_result(arm, 0, 20.0) for arm in ("student", "all", "dist")]
    (folder / "claim.csv").write_text(results_csv(results))
    assert make_results() == 0
    page = (tmp_path / "docs" / "results.md").read_text()
    assert page.count("\n## ") == 1
    assert cells(page, "all")[5:7] == ["2.50", "0.25"]
    assert cells(page, "dist")[5:7] == ["-", "-"]
    # As a shell gives them.
    assert make_results(*sorted(folder.glob("*.csv")), "--out", "other.md") == 0
    assert re.search(r"\| +2.50 \| +0.25 \|", (tmp_path / "other.md").read_text())

    (folder / "claim_latency.csv").write_text(times("pupil").to_csv())
    with pytest.raises(StudyError, match=r"has latencies of pupil, which .*claim_magnetic-tile"):
        results_page([folder / "claim.csv"], tmp_path / "docs" / "results.md")
