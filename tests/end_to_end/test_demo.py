"""The demo in miniature: both of its roads, each in one process."""

from __future__ import annotations

import shutil

import cv2
import pytest

pytestmark = pytest.mark.end_to_end


def rows_of(printed: str, *names: str) -> list[str]:
    lines = [line.strip() for line in printed.splitlines()]
    return [name for name in names if any(line.startswith(f"{name}  ") for line in lines)]


def test_demo_on_drawn_layers(run_tool, tmp_path):
    # Nine stages: a minute of processor time, many minutes on a machine that others use too.
    done = run_tool("demo.py", "--work-dir", "demo", "--iterations", "2", cwd=tmp_path, timeout=900)
    for stage in range(1, 10):
        assert f"=== {stage}/9 " in done.stdout
    names = (
        "teacher",
        "student",
        "distilled student",
        "distilled, folded",
        "distilled, exported",
        "light net",
        "light net, exported",
    )
    assert rows_of(done.stdout, *names) == list(names)
    assert "drawn: 40 seen, 0 missing" in done.stdout
    assert (tmp_path / "demo" / "monitor" / "report.html").is_file()


def test_demo_on_own_data(tiny_data, run_tool, tmp_path):
    (tmp_path / "roi.json").write_text("[[[0, 0], [40, 0], [40, 63], [0, 63]]]")
    done = run_tool(
        *("demo.py", "--data", tiny_data, "--work-dir", "demo", "--iterations", "2"),
        *("--roi", "roi.json"),
        cwd=tmp_path,
    )
    for stage in range(1, 6):
        assert f"=== {stage}/5 " in done.stdout
    names = ("as shipped", "trained", "trained, folded", "trained, exported")
    assert rows_of(done.stdout, *names) == list(names)
    assert "2 batches of 16 crops of 64x64 take" in done.stdout
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert page.count("data:image/") >= 6
    masks = list((tmp_path / "demo" / "predictions" / "masks").iterdir())
    assert masks
    assert not any(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)[:, 41:].any() for mask in masks)
    assert "predict.py demo/bundle IMAGES --out DIR --roi roi.json" in done.stdout
    assert "ITERATIONS=6 ROI=roi.json" in done.stdout
    assert "defects are drawn on the frames" in done.stdout
    # The bundle and the printed command go together, for images of any size.
    run_tool("predict.py", "demo/bundle", tiny_data / "images" / "val", "--out", "p", cwd=tmp_path)
    run_tool("monitor.py", "init", "demo/bundle", tmp_path, "--out", "monitor.toml", cwd=tmp_path)


def test_other_classes_start_with_a_new_classifier(tiny_data, run_tool, tmp_path):
    names = ["Powder", "A", "B", "C", "D", "E", "F"]
    done = run_tool(
        *("demo.py", "--data", tiny_data, "--work-dir", "demo", "--iterations", "2"),
        *("--classes", *names),
        cwd=tmp_path,
    )
    assert "without decode_head.conv_seg.weight, decode_head.conv_seg.bias" in done.stdout
    assert rows_of(done.stdout, "as shipped", "trained, exported") == ["trained, exported"]


def test_demo_refuses_bad_data_before_it_trains(tiny_data, run_tool, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(tiny_data, bad)
    next((bad / "masks" / "train").iterdir()).unlink()
    done = run_tool("demo.py", "--data", bad, "--work-dir", "demo", cwd=tmp_path, status=1)
    assert "no mask" in done.stderr or "without mask" in done.stderr
    assert "Traceback" not in done.stderr
    assert "2/5" not in done.stdout
