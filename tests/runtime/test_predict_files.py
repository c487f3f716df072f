import csv
import dataclasses

import cv2
import numpy as np
import pytest

from lwam_mm.runtime import OutputError, Predictor
from lwam_mm.runtime import predict_files as module
from lwam_mm.runtime.predict_files import predict_files


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
    run = predict_files(predictor, paths, out, progress=lines.append)
    assert files_of(out) == [
        *("masks/a.png", "masks/b.png", "overlays/a.png", "overlays/b.png", "pixels.csv")
    ]
    assert run.failed == run.skipped == []
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
    run = predict_files(predictor, [tmp_path / "in"], tmp_path / "out")
    assert [image.name for image in run.predicted] == ["a", "b", "c"]
    assert run.skipped == [
        (tmp_path / "in/notes.txt", "no image, by its suffix"),
        (tmp_path / "in/sub", "a sub-folder; name it on its own to predict its images"),
    ]
    assert run.failed == []


def test_a_folder_without_images_is_a_failure(predictor, tmp_path):
    (tmp_path / "in").mkdir()
    run = predict_files(predictor, [tmp_path / "in"], tmp_path / "out")
    assert run.predicted == []
    ((path, reason),) = run.failed
    assert path == tmp_path / "in"
    assert "holds no image" in reason


def test_what_is_given_twice_is_predicted_once(predictor, save, tmp_path):
    path = save("in/a.png")
    inputs = [path, tmp_path / "in", tmp_path / "in/../in/a.png"]
    run = predict_files(predictor, inputs, tmp_path / "out")
    assert [image.file for image in run.predicted] == [path]
    assert run.skipped == [(again, f"the same file as {path}") for again in [path, inputs[2]]]


def test_equal_stems_do_not_overwrite_each_other(predictor, save, tmp_path):
    paths = [save("x/a.png", (20, 30)), save("y/a.png", (30, 20)), save("x/a.bmp", (9, 9))]
    predict_files(predictor, paths, tmp_path / "out")
    rows = table_of(tmp_path / "out")
    assert [row["file"] for row in rows] == [str(path) for path in paths]
    assert [row["name"] for row in rows] == ["a", "a_2", "a_3"]
    for row in rows:
        mask = cv2.imread(str(tmp_path / "out/masks" / f"{row['name']}.png"), -1)
        assert mask.shape == (int(row["height"]), int(row["width"]))


def test_a_bad_image_does_not_stop_the_others(predictor, save, tmp_path):
    paths = [save("a.png"), tmp_path / "missing.png", tmp_path / "empty.png", save("z.png")]
    paths[2].touch()
    lines = []
    run = predict_files(predictor, paths, tmp_path / "out", progress=lines.append)
    assert [image.name for image in run.predicted] == ["a", "z"]
    assert [path for path, _ in run.failed] == paths[1:3]
    assert "does not exist" in run.failed[0][1]
    assert "0 bytes" in run.failed[1][1]
    assert [("FAILED" in line) for line in lines] == [False, True, True, False]
    assert [row["name"] for row in table_of(tmp_path / "out")] == ["a", "z"]


def test_an_engine_that_fails_on_one_image_does_not_stop_the_others(make_bundle, save, tmp_path):
    predictor = Predictor(make_bundle(scale=np.nan))
    run = predict_files(predictor, [save("a.png"), save("b.png")], tmp_path / "out")
    assert len(run.failed) == 2
    assert "NaN" in run.failed[0][1]
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


def test_a_dangling_link_fails_and_loses_its_old_mask(predictor, save, tmp_path):
    target = save("far/a.png")
    (tmp_path / "in").mkdir()
    link = tmp_path / "in" / "link.png"
    link.symlink_to(target)
    run = predict_files(predictor, [tmp_path / "in"], tmp_path / "out")
    assert [(image.file, image.name) for image in run.predicted] == [(link, "link")]
    target.unlink()
    run = predict_files(predictor, [tmp_path / "in"], tmp_path / "out")
    assert run.failed == [
        (
            link,
            f"{link} is a link to {target}, which does not exist: restore that file, or remove the "
            "link",
        )
    ]
    assert files_of(tmp_path / "out") == ["pixels.csv"]


def test_equal_names_in_two_folders_are_kept_apart(predictor, save, tmp_path):
    for camera, size in [("camA", (20, 30)), ("camB", (30, 20))]:
        save(f"{camera}/0001.png", size)
        save(f"{camera}/0002.png", size)
    predict_files(predictor, [tmp_path / "camA", tmp_path / "camB"], tmp_path / "out")
    rows = table_of(tmp_path / "out")
    assert [(row["name"], row["width"]) for row in rows] == [
        *[("0001", "30"), ("0002", "30"), ("0001_2", "20"), ("0002_2", "20")]
    ]
    for row in rows:
        mask = cv2.imread(str(tmp_path / "out/masks" / f"{row['name']}.png"), -1)
        assert mask.shape[1] == int(row["width"])


def test_a_result_that_cannot_be_written_whole_is_removed(predictor, save, tmp_path, monkeypatch):
    write = module.write_atomically

    def fail(path, data):
        if path.match("overlays/a.png"):
            raise OSError(28, "No space left on device", str(path))
        write(path, data)

    paths = [save("a.png"), save("b.png")]
    predict_files(predictor, paths, tmp_path / "out")
    monkeypatch.setattr(module, "write_atomically", fail)
    run = predict_files(predictor, paths, tmp_path / "out")
    ((file, reason),) = run.failed
    assert file == paths[0]
    assert reason.startswith(f"{file}: [Errno 28] No space left on device")
    assert files_of(tmp_path / "out") == ["masks/b.png", "overlays/b.png", "pixels.csv"]
    assert [row["name"] for row in table_of(tmp_path / "out")] == ["b"]


def test_an_old_result_that_cannot_be_removed_is_named(predictor, save, tmp_path):
    (tmp_path / "out/masks/a.png").mkdir(parents=True)
    (tmp_path / "out/pixels.csv").touch()
    path = save("a.png")
    run = predict_files(predictor, [path], tmp_path / "out")
    ((_, reason),) = run.failed
    assert reason.startswith(f"{path}: ")
    assert "; its old results cannot be removed: " in reason


@pytest.mark.parametrize("error", [MemoryError(), cv2.error("Failed to allocate 1 byte")])
def test_too_large_an_image_does_not_stop_the_others(predictor, save, tmp_path, monkeypatch, error):
    read = module.read_image

    def fail(file, *arguments, **options):
        if file.name == "a.png":
            raise error
        return read(file, *arguments, **options)

    monkeypatch.setattr(module, "read_image", fail)
    paths = [save("a.png"), save("b.png")]
    run = predict_files(predictor, paths, tmp_path / "out")
    assert [image.name for image in run.predicted] == ["b"]
    assert run.failed == [(paths[0], f"{paths[0]}: {str(error) or 'not enough memory'}")]


def test_an_image_that_cannot_be_tiled_does_not_stop_the_others(
    make_bundle, new_manifest, save, tmp_path
):
    halo = new_manifest(input=dataclasses.replace(new_manifest().input, halo=16))
    predictor = Predictor(make_bundle(manifest=halo), max_pixels=1024)
    paths = [save("large.png", (100, 100)), save("small.png", (32, 32))]
    run = predict_files(predictor, paths, tmp_path / "out")
    assert [image.name for image in run.predicted] == ["small"]
    ((_, reason),) = run.failed
    assert "large.png: max_pixels is 1024" in reason


@pytest.mark.parametrize("folder", ["masks", "overlays", "probabilities"])
def test_an_input_is_never_overwritten(predictor, save, tmp_path, folder):
    path = save(f"out/{folder}/a.png")
    before = path.read_bytes()
    (tmp_path / "link").symlink_to(f"out/{folder}")
    (tmp_path / "out/pixels.csv").write_text("earlier")
    (tmp_path / "a.png").symlink_to(path)
    for inputs in [[path], [tmp_path / "link"], [path.parent], [tmp_path / "a.png"]]:
        with pytest.raises(OutputError, match=f"a.png is in a folder that .* than {tmp_path}/out "):
            predict_files(predictor, inputs, tmp_path / "out")
    assert path.read_bytes() == before
    assert (tmp_path / "out/pixels.csv").read_text() == "earlier"


@pytest.mark.parametrize("result", ["masks/a.png", "overlays/a.png", "probabilities/a.npy"])
def test_a_file_that_is_no_result_is_never_overwritten(predictor, save, tmp_path, result):
    """A data set keeps its masks under the same names."""
    save("out/masks/other.png")
    predict_files(predictor, [save("b.png")], tmp_path / "out")
    (tmp_path / "out/pixels.csv").unlink()
    (tmp_path / "out/probabilities").mkdir()
    (tmp_path / "out" / result).write_text("precious")
    with pytest.raises(OutputError, match=f"{result} exists, but .* holds no pixels.csv"):
        predict_files(predictor, [save("a.png")], tmp_path / "out")
    assert (tmp_path / "out" / result).read_text() == "precious"


def test_the_table_of_an_earlier_run_does_not_describe_new_results(predictor, save, tmp_path):
    path, out = save("a.png"), tmp_path / "out"
    predict_files(predictor, [path], out)
    tables = []
    read = module.read_image

    def look(*arguments, **options):
        tables.append(table_of(out))
        return read(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read_image", look)
        predict_files(predictor, [path], out)
    assert tables == [[]]
    assert len(table_of(out)) == 1


def test_without_probabilities_those_of_an_earlier_run_go(predictor, save, tmp_path):
    path = save("a.png")
    predict_files(predictor, [path], tmp_path / "out", probabilities=True)
    predict_files(predictor, [path], tmp_path / "out")
    assert files_of(tmp_path / "out") == ["masks/a.png", "overlays/a.png", "pixels.csv"]


def test_names_too_long_for_the_results_do_not_stop_the_others(predictor, save, tmp_path):
    longest = "x" * 251 + ".png"
    paths = [save("short.png"), save("a.png")]
    for folder in ["camA", "camB"]:
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / longest)
        paths[-1].write_bytes(paths[0].read_bytes())
    run = predict_files(predictor, paths, tmp_path / "out")
    assert [image.name for image in run.predicted][:2] == ["short", "a"]
    assert len(run.predicted) + len(run.failed) == 4
    assert f"{paths[3]}: " in run.failed[-1][1]
    assert "File name too long" in run.failed[-1][1]
