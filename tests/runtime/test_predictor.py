import copy
import functools
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper

import lwam_mm
from lwam_mm.runtime import BundleError, EngineError, ImageError, Predictor, write_bundle
from lwam_mm.runtime.engines.engine import Output
from lwam_mm.runtime.engines.load_engine import load_engine
from lwam_mm.runtime.errors import SettingError
from lwam_mm.runtime.pre_and_postprocessing import to_image_size
from lwam_mm.runtime.predict_files import predict_files

SIZES = [(32, 48), (33, 47), (47, 33), (1, 1), (100, 17)]


@pytest.mark.parametrize("size", SIZES)
def test_a_model_of_any_size_sees_every_pixel_as_it_is(make_bundle, picture, by_hand, size):
    image = picture(*size)
    prediction = Predictor(make_bundle())(image)
    assert prediction.labels.dtype == np.uint8
    assert prediction.probabilities is None
    np.testing.assert_array_equal(prediction.labels, by_hand(image))


@pytest.mark.parametrize("probabilities", [False, True])
def test_a_model_that_takes_frames_is_given_the_image_as_it_is(
    make_bundle, new_manifest, picture, probabilities
):
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["logits"], perm=[0, 3, 1, 2]),
    ]
    root = make_bundle(
        shape=[1, "height", "width", 3],
        nodes=nodes,
        in_type=TensorProto.UINT8,
        out_shape=[1, 3, "height", "width"],
        manifest=new_manifest(input=replace(new_manifest().input, kind="frame")),
    )
    image = picture(33, 47)
    prediction = Predictor(root)(image, probabilities=probabilities)
    np.testing.assert_array_equal(prediction.labels, image.argmax(axis=2))


@pytest.mark.parametrize("size", SIZES)
def test_a_model_of_fixed_size_answers_at_the_images_size(make_bundle, picture, size):
    image = picture(*size)
    prediction = Predictor(make_bundle((32, 48)))(image, probabilities=True)
    resized = cv2.resize(image, (48, 32))[:, :, ::-1].astype(np.float32)
    logits = (resized - np.float32([100, 50, 0])) / np.float32([10, 20, 40])
    logits = torch.from_numpy(logits.transpose(2, 0, 1).copy())[None]
    expected = F.interpolate(logits, size, mode="bilinear", align_corners=False)[0]
    assert prediction.labels.shape == size
    agree = prediction.labels == expected.argmax(0).numpy()
    assert agree.mean() > 0.999
    np.testing.assert_allclose(prediction.probabilities, expected.softmax(0), atol=1e-4)


def test_the_context_of_a_pixel_is_the_networks_own(make_bundle, picture):
    """A 3x3 model: padding must not change what it sees inside, nor shift the answer."""
    weight = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32)
    image = picture(35, 50)
    prediction = Predictor(make_bundle(weight=weight))(image)
    normalised = (image[:, :, ::-1] - np.float32([100, 50, 0])) / np.float32([10, 20, 40])
    batch = torch.from_numpy(normalised.transpose(2, 0, 1).copy())[None]
    expected = F.conv2d(batch, torch.from_numpy(weight), padding=1)[0].argmax(0).numpy()
    np.testing.assert_array_equal(prediction.labels, expected)


def test_probabilities_and_pixels_agree_with_the_labels(make_bundle, picture):
    image = picture(33, 47)
    predictor = Predictor(str(make_bundle()), threads=1)
    prediction = predictor(image, probabilities=True)
    assert prediction.probabilities.shape == (3, 33, 47)
    assert prediction.probabilities.dtype == np.float32
    np.testing.assert_allclose(prediction.probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(prediction.probabilities.argmax(0), prediction.labels)
    assert list(prediction.pixels) == list(predictor.classes)
    assert sum(prediction.pixels.values()) == 33 * 47
    for index, name in enumerate(predictor.classes):
        assert prediction.pixels[name] == (prediction.labels == index).sum()
    assert predictor.palette[1] == (255, 0, 255)


@pytest.mark.parametrize("probabilities", [False, True])
def test_outside_the_region_of_interest_all_is_background(
    make_bundle, picture, by_hand, probabilities
):
    image = picture(33, 47)
    predictor = Predictor(make_bundle(), roi=[(5, 0), (20, 0), (20, 30), (5, 30)])
    prediction = predictor(image, probabilities=probabilities)
    expected = np.zeros_like(by_hand(image))
    expected[:31, 5:21] = by_hand(image)[:31, 5:21]
    np.testing.assert_array_equal(prediction.labels, expected)
    assert prediction.labels.dtype == np.uint8
    assert list(prediction.pixels.values()) == [np.sum(expected == label) for label in range(3)]
    with pytest.raises(SettingError, match="outside the frame of 10x20"):
        predictor(picture(20, 10))


def test_a_class_that_is_not_there_counts_zero(make_bundle):
    blue = np.zeros((8, 8, 3), np.uint8)
    blue[:, :, 0] = 255
    prediction = Predictor(make_bundle())(blue)
    assert prediction.pixels == {"Background": 0, "Super": 0, "Incomplete": 64}


def test_file_and_array_give_the_same(make_bundle, picture, tmp_path):
    image = picture(33, 47)
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), image)
    predictor = Predictor(make_bundle())
    expected = predictor(image).labels
    np.testing.assert_array_equal(predictor(path).labels, expected)
    np.testing.assert_array_equal(predictor(str(path)).labels, expected)


def test_files_are_read_with_the_bundles_white_level(make_bundle, new_manifest, tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((16, 16), 2000, np.uint16))
    manifest = new_manifest()
    spec = replace(manifest.input, white_level=4095)
    plain = Predictor(make_bundle())
    scaled = Predictor(make_bundle(manifest=replace(manifest, input=spec), name="w"))
    as_array = {value: plain(np.full((16, 16), value, np.uint8)).labels for value in (8, 125)}
    assert (as_array[8] != as_array[125]).all()
    np.testing.assert_array_equal(plain(path).labels, as_array[8])
    np.testing.assert_array_equal(scaled(path).labels, as_array[125])
    np.testing.assert_array_equal(scaled.logits(path).argmax(0), as_array[125])
    (row,) = predict_files(scaled, [path], tmp_path / "out").predicted
    assert row.pixels == scaled(path).pixels
    cv2.imwrite(str(path), np.full((16, 16), 4096, np.uint16))
    with pytest.raises(ImageError, match=r"a\.png has a value of 4096, above the white level 4095"):
        scaled(path)


def test_a_grey_array_is_taken(make_bundle, picture, by_hand):
    grey = picture(33, 47)[:, :, 0]
    labels = Predictor(make_bundle())(grey).labels
    np.testing.assert_array_equal(labels, by_hand(np.dstack([grey] * 3)))


def test_bad_images_are_refused(make_bundle, tmp_path):
    predictor = Predictor(make_bundle())
    with pytest.raises(ImageError, match="does not exist"):
        predictor(tmp_path / "nowhere.png")
    with pytest.raises(ImageError, match="float32"):
        predictor(np.full((4, 4), np.nan, np.float32))


def test_a_broken_model_is_an_error_and_not_background(make_bundle, picture):
    predictor = Predictor(make_bundle(scale=np.nan))
    with pytest.raises(EngineError, match="returned NaN or infinity"):
        predictor(picture(8, 8))


@pytest.mark.parametrize("place", [(0, 0, 0, 0), (0, 1, 13, 7), (0, 2, 15, 15)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("probabilities", [False, True])
def test_a_single_bad_logit_is_an_error(make_bundle, picture, place, value, probabilities):
    predictor = Predictor(make_bundle())
    logits = np.zeros((1, 3, 16, 16), np.float32)
    logits[place] = value
    predictor._engine = lambda batch, **_: Output(logits)
    with pytest.raises(EngineError, match="returned NaN or infinity"):
        predictor(picture(16, 16), probabilities=probabilities)


def labelled(make_bundle, logits, labels):
    """A predictor whose engine returns these logits and labels."""
    predictor = Predictor(make_bundle())
    predictor._engine = lambda batch, **_: Output(logits, labels)
    return predictor


def test_bad_logits_beside_labels_are_an_error(make_bundle, picture):
    """Only a sample is looked at there."""
    logits = np.full((1, 3, 16, 16), np.nan, np.float32)
    predictor = labelled(make_bundle, logits, np.zeros((1, 16, 16), np.uint8))
    with pytest.raises(EngineError, match="returned NaN or infinity"):
        predictor(picture(16, 16))


def test_labels_of_the_graph_are_taken_and_cropped(make_bundle, picture):
    labels = np.random.default_rng(0).integers(0, 3, (1, 48, 64), np.uint8)
    logits = np.zeros((1, 3, 48, 64), np.float32)
    predictor = labelled(make_bundle, logits, labels)
    found = predictor(picture(33, 50)).labels
    np.testing.assert_array_equal(found, labels[0, :33, :50])


def test_labels_of_the_graph_are_used_at_the_models_own_size_only(make_bundle, picture):
    """Labels cannot be interpolated: for another size they come from the resized logits."""
    predictor = Predictor(make_bundle((32, 48)))
    logits = np.zeros((1, 3, 32, 48), np.float32)
    logits[0, 1] = 1
    predictor._engine = lambda batch, **_: Output(logits, np.full((1, 32, 48), 2, np.uint8))
    assert (predictor(picture(32, 48)).labels == 2).all()
    assert (predictor(picture(48, 32)).labels == 1).all()


def test_only_labels_are_computed_if_the_graph_checks_the_logits(make_bundle, picture):
    labels = np.random.default_rng(0).integers(0, 3, (1, 48, 64), np.uint8)
    asked = []

    def engine(batch, *, logits):
        asked.append(logits)
        scores = np.zeros((1, 3, 48, 64), np.float32) if logits else None
        return Output(scores, labels, np.ones(1, np.float32))

    predictor = Predictor(make_bundle())
    predictor._engine = engine
    np.testing.assert_array_equal(predictor(picture(33, 50)).labels, labels[0, :33, :50])
    predictor(picture(33, 50), probabilities=True)
    predictor.logits(picture(33, 50))
    assert asked == [False, True, True]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_check_that_is_not_finite_is_an_error(make_bundle, picture, wrong):
    predictor = Predictor(make_bundle())
    output = Output(None, np.zeros((1, 16, 16), np.uint8), np.full(1, wrong, np.float32))
    predictor._engine = lambda batch, **_: output
    with pytest.raises(EngineError, match="returned NaN or infinity"):
        predictor(picture(16, 16))


def test_a_label_that_is_no_class_is_an_error(make_bundle, picture):
    labels = np.zeros((1, 16, 16), np.uint8)
    labels[0, 3, 4] = 3
    logits = np.zeros((1, 3, 16, 16), np.float32)
    predictor = labelled(make_bundle, logits, labels)
    with pytest.raises(BundleError, match=r"returned label 3, .* has 3 classes"):
        predictor(picture(16, 16))


def test_labels_of_another_shape_are_an_error(make_bundle, picture):
    labels = np.zeros((1, 16, 15), np.uint8)
    logits = np.zeros((1, 3, 16, 16), np.float32)
    predictor = labelled(make_bundle, logits, labels)
    with pytest.raises(BundleError, match=r"returns shape \(1, 16, 15\), not \(1, 16, 16\)"):
        predictor(picture(16, 16))


def test_channels_that_the_graph_leaves_open_are_checked_at_the_first_image(make_bundle, picture):
    root = make_bundle()
    predictor = Predictor(root)
    predictor._engine = lambda batch, **_: Output(np.zeros((1, 4, *batch.shape[2:]), np.float32))
    with pytest.raises(BundleError, match=r"returns shape \(1, 4, 16, 16\), not \(1, 3, 16, 16\)"):
        predictor(picture(8, 8))


TAPS = np.random.default_rng(0).normal(size=(3, 3, 33, 33)).astype(np.float32)


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_tiles_give_the_answer_of_the_whole(
    make_bundle, new_manifest, picture, engine, probabilities
):
    """A 33x33 convolution sees exactly 16 pixels around."""
    halo = replace(new_manifest().input, halo=16)
    root = make_bundle(weight=TAPS, manifest=new_manifest(engine=engine, input=halo))
    whole, tiled = Predictor(root), Predictor(root, max_pixels=64 * 64)
    for size in [(64, 64), (65, 64), (150, 201), (16, 300), (301, 17)]:
        image = picture(*size)
        expected = whole(image, probabilities=probabilities)
        found = tiled(image, probabilities=probabilities)
        np.testing.assert_array_equal(found.labels, expected.labels)
        logits = whole.logits(image)
        # Kernels of other sizes add 3267 products in another order: 3e-6 of the largest logit on
        # processors with AVX2 only. A missing row of the halo changes a logit by a tenth of it.
        tolerance = 1e-5 * np.abs(logits).max()
        np.testing.assert_allclose(tiled.logits(image), logits, rtol=0, atol=tolerance)
        if probabilities:
            np.testing.assert_allclose(
                found.probabilities, expected.probabilities, rtol=0, atol=tolerance
            )


def test_too_small_a_halo_would_show(make_bundle, new_manifest, picture):
    root = make_bundle(
        weight=TAPS, manifest=new_manifest(input=replace(new_manifest().input, halo=0))
    )
    image = picture(150, 201)
    difference = Predictor(root)(image).labels != Predictor(root, max_pixels=64 * 64)(image).labels
    assert difference.any()


def test_without_a_halo_nothing_is_cut(make_bundle, picture):
    image = picture(150, 201)
    predictor = Predictor(make_bundle(weight=TAPS), max_pixels=1)
    np.testing.assert_array_equal(
        predictor(image).labels, Predictor(make_bundle(name="b", weight=TAPS))(image).labels
    )


@pytest.mark.parametrize("max_pixels", [0, -1])
def test_a_bound_that_is_not_positive_is_refused(make_bundle, max_pixels):
    with pytest.raises(ValueError, match=f"max_pixels is {max_pixels}"):
        Predictor(make_bundle(), max_pixels=max_pixels)


def test_logits_are_those_of_the_model(make_bundle, picture):
    image = picture(33, 47)
    rgb = image[:, :, ::-1].astype(np.float64)
    expected = ((rgb - [100, 50, 0]) / [10, 20, 40]).transpose(2, 0, 1)
    logits = Predictor(make_bundle()).logits(image)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=1e-5)


class SlowEngine:
    """Returns its input, always in the same memory, as OpenVINO does; counts its callers."""

    def __init__(self):
        self.memory = np.empty((1, 3, 16, 16), np.float32)
        self.inside = 0
        self.most_inside = 0

    def __call__(self, batch, **_):
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        time.sleep(0.002)
        self.memory[:] = batch
        self.inside -= 1
        return Output(self.memory)


@pytest.mark.parametrize("probabilities", [False, True])
def test_threads_take_turns(make_bundle, picture, by_hand, monkeypatch, probabilities):
    """Until its output is used up, no other thread may run the engine."""
    predictor = Predictor(make_bundle())
    engine = predictor._engine = SlowEngine()

    def slow(logits, *arguments):
        time.sleep(0.002)
        return to_image_size(logits, *arguments)

    monkeypatch.setattr("lwam_mm.runtime.predictor.to_image_size", slow)
    images = [picture(16, 16, seed) for seed in range(16)]
    predict = functools.partial(predictor, probabilities=probabilities)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(predict, images))
    for image, prediction in zip(images, found, strict=True):
        np.testing.assert_array_equal(prediction.labels, by_hand(image))
    assert engine.most_inside == 1


@pytest.fixture
def tiled_predictor(make_bundle, new_manifest):
    """A predictor with unusual settings, which refuses an image above 32 x 32 pixels."""
    halo = new_manifest(input=replace(new_manifest().input, halo=16))
    return Predictor(make_bundle(manifest=halo), threads=1, max_pixels=32 * 32)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_a_copy_opens_the_bundle_again_with_the_same_settings(
    tiled_predictor, picture, by_hand, monkeypatch, duplicate
):
    calls = []

    def load(bundle, threads):
        calls.append((bundle, threads))
        return load_engine(bundle, threads)

    monkeypatch.setattr("lwam_mm.runtime.predictor.load_engine", load)
    again = duplicate(tiled_predictor)
    assert calls == [(tiled_predictor.bundle, 1)]
    assert again._engine is not tiled_predictor._engine
    assert again._lock is not tiled_predictor._lock
    assert (again.classes, again.palette) == (tiled_predictor.classes, tiled_predictor.palette)
    image = picture(32, 32)
    np.testing.assert_array_equal(again(image).labels, by_hand(image))
    with pytest.raises(ImageError, match="max_pixels is 1024"):
        again(picture(64, 64))


def test_a_predictor_works_in_a_spawned_process(make_bundle, picture, by_hand, monkeypatch):
    bundle = make_bundle()
    monkeypatch.chdir(bundle.parent)
    predictor = Predictor(bundle.name)
    monkeypatch.chdir("/")  # the other process starts here
    images = [picture(33, 47, seed) for seed in range(3)]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        found = list(pool.map(predictor, images))
    for image, prediction in zip(images, found, strict=True):
        np.testing.assert_array_equal(prediction.labels, by_hand(image))


def test_a_copy_is_refused_when_the_bundle_has_changed(make_bundle, new_manifest, tmp_path):
    root = make_bundle()
    data = pickle.dumps(Predictor(root))
    names = new_manifest(classes=("Background", "Incomplete", "Super"))
    write_bundle(root, names, {"model.onnx": tmp_path / "bundle.onnx"}, overwrite=True)
    with pytest.raises(BundleError, match=f"{root} has changed since"):
        pickle.loads(data)
    shutil.rmtree(root)
    with pytest.raises(BundleError, match="is not a folder"):
        pickle.loads(data)


def test_a_damaged_bundle_is_refused(make_bundle):
    root = make_bundle()
    (root / "model.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match="changed or damaged"):
        Predictor(root)


LEAN = """
import sys
import lwam_mm.runtime
heavy = {"torch", "torchvision", "mmengine", "mmcv", "mmseg", "mmrazor", "mmdeploy", "matplotlib"}
assert not {"onnxruntime", "onnx"} & set(sys.modules), "an engine before a bundle asks for it"
assert not heavy & set(sys.modules), heavy & set(sys.modules)
import numpy as np
prediction = lwam_mm.runtime.Predictor(sys.argv[1])(np.zeros((20, 30, 3), np.uint8))
assert prediction.labels.shape == (20, 30)
assert "onnxruntime" in sys.modules
assert not heavy & set(sys.modules), heavy & set(sys.modules)
print("lean")
"""


def test_neither_torch_nor_openmmlab_nor_an_unused_engine_is_imported(make_bundle):
    root = Path(lwam_mm.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", LEAN, make_bundle()], cwd=root, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "lean\n", "")
