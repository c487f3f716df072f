from __future__ import annotations

import csv
import runpy
import subprocess
import sys

import pytest
from narrow_configs import write_narrow_configs

from lwam_mm.utils.errors import UserError


@pytest.fixture
def main(repository):
    return runpy.run_path(str(repository / "tools/benchmark.py"))["main"]


@pytest.fixture(scope="module")
def configs(tmp_path_factory) -> dict:
    return write_narrow_configs(tmp_path_factory.mktemp("configs"))


def run(repository, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "tools/benchmark.py", *map(str, arguments)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.end_to_end
def test_two_rows_side_by_side(repository, configs, tmp_path):
    student, teacher = configs["student"], configs["teacher"]
    out = tmp_path / "docs"
    done = run(
        repository, student, "--teacher", teacher, "--size", 64, "--threads", 1, "--rounds", 3,
        "--rows", "folded", "onnxruntime", "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "benchmark.csv",
        "benchmark.md",
        "benchmark.png",
    ]
    page = " ".join((out / "benchmark.md").read_text().split())
    assert "| student, folded, eager |" in page
    assert "| student, ONNX Runtime |" in page
    assert "| matrix products, torch float32 |" in page
    assert "teacher, eager" not in page
    assert "## Targets" not in page  # they are for another size
    with (out / "benchmark.csv").open() as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    bounds = ["products-torch", "products-onnxruntime", "memory-copy"]
    assert list(rows) == ["folded", "onnxruntime", *bounds]
    for row in rows.values():
        assert row["calls"] == "3"
        assert float(row["p50_ms"]) > 0
        assert row["notes"] == ""
    assert float(rows["onnxruntime"]["share_of_ceiling"]) > 0
    assert "round 3 of 3" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "folded", "tensorrt"], "--rows tensorrt: no such row; choose from teacher"),
        (["--peers", "unet"], "--peers unet: no such row; choose from fast-scnn"),
        (["--profile", "ncnn"], "--profile ncnn: no such row; choose from openvino"),
    ],
)
def test_a_wrong_row_is_named_before_anything_is_made(main, arguments, message, tmp_path):
    with pytest.raises(UserError, match=message):
        main([*arguments, "--out", str(tmp_path / "docs")])
    assert not (tmp_path / "docs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "100"], "100: must be a multiple of 16"),
        (["--rounds", "0"], "0: must be at least 1"),
    ],
)
def test_figures_that_make_no_sense_are_refused(main, arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_a_profile_names_the_layers(main, configs, capsys):
    student, teacher = configs["student"], configs["teacher"]
    arguments = ["--teacher", teacher, "--size", 64, "--threads", 1, "--profile", "openvino"]
    assert main(list(map(str, [student, *arguments]))) == 0
    assert "/backbone/stage0" in capsys.readouterr().out
