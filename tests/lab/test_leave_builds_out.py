from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.lab.leave_builds_out import RegionCounts, leave_builds_out, read_builds
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder

CLASSES = ("Background", "Crack")


def frame(*places):
    mask = np.zeros((20, 40), np.uint8)
    for place in places:
        mask[5:15, place : place + 6] = 1
    return mask


def test_regions_of_all_frames_are_counted_together():
    counts = RegionCounts(CLASSES)
    counts.add(frame(0, 10), frame(0))
    counts.add(frame(), frame(20, 30))
    assert (counts.frames, counts.clean_frames) == (2, 1)
    assert counts.claimed == [pytest.approx(120 / 800)]
    crack = counts.table().splitlines()[2]
    assert [cell.strip() for cell in crack.split("|")[1:-1]] == [
        "Crack", "1 of 2", "1 of 2", "1.00", "2.00"
    ]  # fmt: skip


def test_regions_count_by_the_least_probability_of_the_net():
    counts = RegionCounts(CLASSES)
    crack = np.full((20, 40), 0.95)
    crack[:, 20:] = 0.75
    probabilities = np.stack([1 - crack, crack])
    counts.add(frame(0), frame(0, 30), probabilities)
    counts.add(frame(), frame(20), probabilities)
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]]
        for row in counts.probability_table().splitlines()
    ]
    assert rows[0] == [
        "least probability", "Crack at 10%", "any at 10%", "false a frame", "false a clean frame"
    ]  # fmt: skip
    assert rows[2:] == [
        *([least, "1 of 1", "1 of 1", "1.00", "1.00"] for least in ("0", "0.6", "0.7")),
        *([least, "1 of 1", "1 of 1", "0.00", "0.00"] for least in ("0.8", "0.9")),
    ]


def test_ignored_pixels_of_clean_frames_do_not_count():
    truth = frame()
    truth[:, 20:] = 255
    counts = RegionCounts(CLASSES)
    counts.add(truth, frame(20))
    assert counts.claimed == [0]


def test_builds_are_read_from_lines(tmp_path):
    path = tmp_path / "builds.txt"
    path.write_text("# what was built\na one\n\nb two  # a comment\nc one\n")
    assert read_builds(path) == {"one": ["a", "c"], "two": ["b"]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a one\nb", "line 2: 'b'"),
        ("a one\na two", "line 2: 'a two'"),
        ("a one\nb one", "1 builds"),
        ("", "0 builds"),
    ],
)
def test_lists_that_say_no_builds_are_refused(tmp_path, text, told):
    path = tmp_path / "builds.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=told):
        read_builds(path)


@pytest.fixture
def frames(tmp_path):
    generate_dataset(tmp_path / "data", images=6, size=64, seed=0)
    names = sorted(path.stem for path in (tmp_path / "data/images/train").iterdir())
    drawn = configs_folder() / "spreadnet" / "spreadnet-s8_1xb4-2500i_powder-bed-drawn-512x512.py"
    config = tmp_path / "small.py"
    config.write_text(
        f"_base_ = [{str(drawn)!r}]\n"
        "model = dict(backbone=dict(channels=(8, 8, 8)), decode_head=dict(in_channels=(8, 8, 8)))\n"
        f"_data = dict(data_root={str(tmp_path / 'data')!r}, data_prefix=dict(\n"
        "    img_path='images/train', seg_map_path='masks/train'))\n"
        "train_dataloader = dict(num_workers=0, dataset=_data)\n"
        "val_dataloader = dict(num_workers=0, dataset=_data)\n"
        "test_dataloader = dict(num_workers=0, dataset=_data)\n"
        "train_cfg = dict(max_iters=2, val_interval=9)\n"
    )
    return config, {"first": names[:2], "second": names[2:]}


def test_each_build_is_tested_by_a_net_that_has_not_seen_it(frames, tmp_path, monkeypatch):
    config, builds = frames
    monkeypatch.chdir(tmp_path)
    said = []
    counts = leave_builds_out(config, builds, Path("work"), progress=said.append)
    assert counts.frames == counts.sure[0.0].frames == sum(map(len, builds.values()))
    assert (counts.sure[0.0].counts == counts.counts).all()
    for build, names in builds.items():
        folder = tmp_path / "work" / build
        assert (folder / "test.txt").read_text().split() == names
        assert not set(names) & set((folder / "train.txt").read_text().split())
        assert (folder / "iter_2.pth").is_file()
    assert said[0] == f"first: train on {len(builds['second'])} frames, test on 2"
    # Finished trainings are not repeated.
    before = (tmp_path / "work/first/iter_2.pth").stat().st_mtime_ns
    again = leave_builds_out(config, builds, Path("work"), only=["first"])
    assert again.frames == 2
    assert (tmp_path / "work/first/iter_2.pth").stat().st_mtime_ns == before


def test_a_failed_training_names_its_log(frames, tmp_path):
    config, builds = frames
    with pytest.raises(UserError, match=r"first/train\.log: the training without first failed"):
        leave_builds_out(config, builds, tmp_path / "work", ["train_cfg.max_iters=wrong"])
    with pytest.raises(UserError, match="third: no such build; there are first, second"):
        leave_builds_out(config, builds, tmp_path / "work", only=["third"])
