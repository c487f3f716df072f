import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from lwam_mm.runtime import Predictor
from lwam_mm.runtime.predict_files import distinct_names, predict_files


@pytest.fixture
def predictor(make_bundle):
    return Predictor(make_bundle())


@pytest.fixture
def save(tmp_path, picture):
    def save(name, size=(33, 47), seed=0):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture(*size, seed))
        return path

    return save


def files_of(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def table_of(out):
    with (out / "pixels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_masks_overlays_and_table_are_written(predictor, save, tmp_path, picture, by_hand):
    paths = [save("in/a.png"), save("in/b.png", (20, 64), seed=1)]
    lines = []
    out = tmp_path / "deep" / "out"
    report = predict_files(predictor, paths, out, progress=lines.append)
    assert files_of(out) == [
        *("masks/a.png", "masks/b.png", "overlays/a.png", "overlays/b.png", "pixels.csv")
    ]
    assert report.failed == report.skipped == []
    assert len(lines) == 2
    assert lines[0].startswith(f"[1/2] {paths[0]}: 47x33, ")
    image = picture(20, 64, 1)
    mask = cv2.imread(str(out / "masks/b.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, by_hand(image))
    overlay = cv2.imread(str(out / "overlays/b.png"))
    np.testing.assert_array_equal(overlay[mask == 0], image[mask == 0])
    assert (overlay[mask != 0] != image[mask != 0]).any()
    first, second = table_of(out)
    assert list(first) == [
        *("file", "name", "width", "height"),
        *("pixels_Background", "pixels_Super", "pixels_Incomplete", "milliseconds"),
    ]
    assert second["file"] == str(paths[1])
    assert (second["name"], second["width"], second["height"]) == ("b", "64", "20")
    counts = [int(second[f"pixels_{name}"]) for name in predictor.classes]
    assert counts == np.bincount(mask.ravel(), minlength=3).tolist()
    assert 0 < float(second["milliseconds"]) < 10_000


def test_probabilities_are_written_on_request(predictor, save, tmp_path):
    path = save("a.png")
    predict_files(predictor, [path], tmp_path / "out", probabilities=True)
    found = np.load(tmp_path / "out/probabilities/a.npy", allow_pickle=False)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, predictor(path, probabilities=True).probabilities)


def test_a_folder_gives_its_images_in_order_and_its_other_files_are_reported(
    predictor, save, tmp_path
):
    for name in ["in/b.PNG", "in/a.jpg", "in/c.tif", "in/sub/d.png"]:
        save(name)
    (tmp_path / "in/notes.txt").write_text("x")
    report = predict_files(predictor, [tmp_path / "in"], tmp_path / "out")
    assert [row.name for row in report.rows] == ["a", "b", "c"]
    assert report.skipped == [tmp_path / "in/notes.txt"]
    assert report.failed == []


def test_a_folder_without_images_is_a_failure(predictor, tmp_path):
    (tmp_path / "in").mkdir()
    report = predict_files(predictor, [tmp_path / "in"], tmp_path / "out")
    assert report.rows == []
    ((path, reason),) = report.failed
    assert path == tmp_path / "in"
    assert "holds no image" in reason


def test_what_is_given_twice_is_predicted_once(predictor, save, tmp_path):
    path = save("in/a.png")
    inputs = [path, tmp_path / "in", tmp_path / "in/../in/a.png"]
    report = predict_files(predictor, inputs, tmp_path / "out")
    assert [row.file for row in report.rows] == [path]


def test_equal_stems_do_not_overwrite_each_other(predictor, save, tmp_path):
    paths = [save("x/a.png", (20, 30)), save("y/a.png", (30, 20)), save("x/a.bmp", (9, 9))]
    predict_files(predictor, paths, tmp_path / "out")
    rows = table_of(tmp_path / "out")
    assert [row["file"] for row in rows] == [str(path) for path in paths]
    assert [row["name"] for row in rows] == ["a", "a_2", "a_3"]
    for row in rows:
        mask = cv2.imread(str(tmp_path / "out/masks" / f"{row['name']}.png"), -1)
        assert mask.shape == (int(row["height"]), int(row["width"]))


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["x/a.png", "x/a.jpg", "x/a_2.png"], ["a", "a_3", "a_2"]),
        (["x/a_2.png", "x/a.jpg", "y/a.png"], ["a_2", "a", "a_3"]),
        (["x/a.png", "y/A.png"], ["a", "A_2"]),
        (["a.b.png", "a.b.jpg"], ["a.b", "a.b_2"]),
        ([], []),
    ],
)
def test_names_are_distinct_and_a_files_own_stem_is_not_given_away(files, names):
    assert distinct_names([Path(file) for file in files]) == names


def test_a_bad_image_does_not_stop_the_others(predictor, save, tmp_path):
    paths = [save("a.png"), tmp_path / "missing.png", tmp_path / "empty.png", save("z.png")]
    paths[2].touch()
    lines = []
    report = predict_files(predictor, paths, tmp_path / "out", progress=lines.append)
    assert [row.name for row in report.rows] == ["a", "z"]
    assert [path for path, _ in report.failed] == paths[1:3]
    assert "does not exist" in report.failed[0][1]
    assert "0 bytes" in report.failed[1][1]
    assert [("FAILED" in line) for line in lines] == [False, True, True, False]
    assert [row["name"] for row in table_of(tmp_path / "out")] == ["a", "z"]


def test_an_engine_that_fails_on_one_image_does_not_stop_the_others(make_bundle, save, tmp_path):
    predictor = Predictor(make_bundle(scale=np.nan))
    report = predict_files(predictor, [save("a.png"), save("b.png")], tmp_path / "out")
    assert len(report.failed) == 2
    assert "NaN" in report.failed[0][1]
    assert files_of(tmp_path / "out") == ["pixels.csv"]


def test_a_mask_of_an_earlier_run_does_not_stand_for_an_image_that_failed(
    predictor, save, tmp_path
):
    path = save("a.png")
    predict_files(predictor, [path], tmp_path / "out", probabilities=True)
    assert len(files_of(tmp_path / "out")) == 4
    path.write_bytes(b"damaged")
    predict_files(predictor, [path], tmp_path / "out")
    assert files_of(tmp_path / "out") == ["pixels.csv"]
    assert table_of(tmp_path / "out") == []


def test_an_interrupted_run_keeps_its_table(predictor, save, tmp_path):
    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_files(
            predictor, [save("a.png"), save("b.png")], tmp_path / "out", progress=interrupt
        )
    assert [row["name"] for row in table_of(tmp_path / "out")] == ["a"]


def test_an_out_that_is_a_file_is_named(predictor, save, tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(FileExistsError, match="out is a file: give another folder"):
        predict_files(predictor, [save("a.png")], tmp_path / "out")
