"""The demo on a user's own data, in miniature: the whole road in one process."""

from __future__ import annotations

import shutil

import pytest

pytestmark = pytest.mark.end_to_end


def test_demo_on_own_data(tiny_data, run_tool, tmp_path):
    done = run_tool(
        "demo.py", "--data", tiny_data, "--work-dir", "demo", "--iterations", "2", cwd=tmp_path
    )
    for stage in range(1, 8):
        assert f"=== {stage}/7 " in done.stdout
    for name in (
        "teacher",
        "student",
        "distilled student",
        "distilled, folded",
        "distilled, exported",
    ):
        assert any(line.strip().startswith(f"{name}  ") for line in done.stdout.splitlines())
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert page.count("data:image/") >= 6
    assert (tmp_path / "demo" / "bundle" / "bundle.json").is_file()
    assert list((tmp_path / "demo" / "predictions" / "masks").iterdir())


def test_demo_refuses_bad_data_before_it_trains(tiny_data, run_tool, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(tiny_data, bad)
    next((bad / "masks" / "train").iterdir()).unlink()
    done = run_tool("demo.py", "--data", bad, "--work-dir", "demo", cwd=tmp_path, status=1)
    assert "no mask" in done.stderr or "without mask" in done.stderr
    assert "Traceback" not in done.stderr
    assert "2/7" not in done.stdout
