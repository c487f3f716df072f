from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from lwam_mm.datasets.classes import CLASSES
from lwam_mm.datasets.synthetic import generate, generate_dataset

SPLITS = ("train", "val", "test")


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> tuple[Path, dict]:
    root = tmp_path_factory.mktemp("synthetic") / "powder"
    return root, generate_dataset(root, images=40, size=64, seed=5)


def test_the_layout_is_the_released_one(dataset):
    root, summary = dataset
    assert sorted(path.name for path in root.iterdir()) == ["dataset.json", "images", "masks"]
    total = 0
    for split in SPLITS:
        images = sorted((root / "images" / split).iterdir())
        masks = sorted((root / "masks" / split).iterdir())
        assert [path.name for path in images] == [path.name for path in masks]
        assert len(images) == summary["splits"][split]["images"]
        total += len(images)
        for path in [*images, *masks]:
            picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert picture.shape == (64, 64)
            assert picture.dtype == np.uint8
            if "masks" in path.parts:
                assert picture.max() <= 5
    assert total == 40


def test_a_build_lies_in_one_split_and_its_layers_follow_one_another(dataset):
    root, summary = dataset
    layers: dict[str, list[int]] = {}
    split_of: dict[str, set[str]] = {}
    for split in SPLITS:
        for path in (root / "images" / split).iterdir():
            build, layer = path.stem.split("_layer")
            layers.setdefault(build, []).append(int(layer))
            split_of.setdefault(build, set()).add(split)
    assert all(len(splits) == 1 for splits in split_of.values())
    assert {name: b["split"] for name, b in summary["builds"].items()} == {
        name: next(iter(splits)) for name, splits in split_of.items()
    }
    for numbers in layers.values():
        assert sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers)))


@pytest.mark.parametrize(("images", "size"), [(10, 64), (24, 64), (24, 128)])
def test_every_split_holds_every_class(tmp_path, images, size):
    for seed in range(6):
        summary = generate_dataset(tmp_path / str(seed), images, size, seed)
        for split in SPLITS:
            counts = summary["splits"][split]["images_per_class"]
            assert min(counts.values()) >= 1, (seed, split, counts)


def test_the_summary_matches_the_masks(dataset):
    root, summary = dataset
    assert json.loads((root / "dataset.json").read_text(encoding="utf-8")) == summary
    assert summary["seed"] == 5
    assert summary["size"] == 64
    assert summary["images"] == 40
    assert summary["generator_version"] == generate.GENERATOR_VERSION
    assert summary["classes"] == list(CLASSES)
    for split in SPLITS:
        masks = np.stack(
            [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in (root / "masks" / split).iterdir()]
        )
        for index, name in enumerate(CLASSES):
            share = summary["pixel_share"][split][name]
            assert share == pytest.approx((masks == index).mean(), abs=1e-6)
            seen = int((masks == index).any(axis=(1, 2)).sum())
            assert summary["splits"][split]["images_per_class"][name] == seen
    assert summary["pixel_share"]["all"]["Background"] > 0.8
    assert sum(summary["pixel_share"]["all"].values()) == pytest.approx(1, abs=1e-5)


def test_background_is_far_above_the_rest_at_full_size(tmp_path):
    summary = generate_dataset(tmp_path / "full", images=10, size=512, seed=0)
    shares = summary["pixel_share"]["all"]
    assert shares["Background"] > 0.9
    assert 0 < shares["Lattice"] < 0.002


def test_equal_arguments_give_equal_bytes_in_another_process(dataset, tmp_path):
    root, _ = dataset
    code = (
        "import sys; from pathlib import Path; import cv2; cv2.setNumThreads(1);"
        "from lwam_mm.datasets.synthetic import generate_dataset;"
        "generate_dataset(Path(sys.argv[1]), 40, 64, 5);"
        "heavy = {'torch', 'mmengine', 'mmcv', 'mmseg'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    again = tmp_path / "again"
    run = subprocess.run([sys.executable, "-c", code, str(again)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert digests(again) == digests(root)


def test_another_seed_gives_another_dataset(dataset, tmp_path):
    root, _ = dataset
    generate_dataset(tmp_path / "other", images=40, size=64, seed=6)
    images = [
        {v for k, v in digests(r).items() if k.startswith("images")}
        for r in (root, tmp_path / "other")
    ]
    assert not images[0] & images[1]


def test_progress_is_reported_for_every_image(tmp_path):
    calls = []
    generate_dataset(tmp_path / "out", 4, 32, 0, lambda *call: calls.append(call))
    assert [call[:2] for call in calls] == [(n, 4) for n in range(1, 5)]
    assert all(name.endswith(".png") for _, _, name in calls)


def test_an_empty_folder_is_filled(tmp_path):
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    generate_dataset(out, 3, 32, 0)
    assert (out / "dataset.json").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_there_is_never_overwritten(tmp_path, kind):
    out = tmp_path / "out"
    precious = out / "precious.txt" if kind == "folder" else out
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("mine")
    with pytest.raises(FileExistsError, match=r"out is (not empty|a file): use a") as error:
        generate_dataset(out, 3, 32, 0)
    assert str(out) in str(error.value)
    assert precious.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 64, 0), "images is 2: use 3 or more"),
        ((3, 31, 0), "size is 31: use 32 to 4096 px"),
        ((3, 5000, 0), "size is 5000"),
        ((3, 64, -1), "seed is -1: use 0 or more"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        generate_dataset(tmp_path / "out", *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_nothing_behind(tmp_path, failure):
    def stop(done: int, total: int, name: str) -> None:
        if done == 2:
            raise failure

    with pytest.raises(failure):
        generate_dataset(tmp_path / "out", 5, 32, 0, stop)
    assert not list(tmp_path.iterdir())


def test_varied_layers_are_two_of_a_build_and_may_be_ignored(tmp_path):
    summary = generate_dataset(tmp_path / "beds", images=20, size=96, seed=0, varied=True)
    assert summary["varied"]
    assert max(build["layers"] for build in summary["builds"].values()) == 2
    masks = [cv2.imread(str(path), -1) for path in sorted((tmp_path / "beds/masks").rglob("*.png"))]
    assert len(masks) == 20
    assert {255} < set(np.unique(masks)) <= {0, 1, 2, 3, 4, 5, 255}
    shares = sum(summary["pixel_share"]["all"].values())
    assert shares == pytest.approx(1, abs=1e-4)
