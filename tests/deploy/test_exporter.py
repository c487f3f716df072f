from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config

from lwam_mm.deploy import exporter
from lwam_mm.deploy.deploy_config import ExportError, load_deploy_config
from lwam_mm.deploy.exporter import dataset_classes, export_bundle
from lwam_mm.deploy.gate import GateError
from lwam_mm.models.checkpoint import CheckpointMismatchError
from lwam_mm.runtime import BundleError, Predictor, read_bundle


@pytest.fixture(scope="module", params=["onnxruntime", "openvino", "ncnn", "ncnn-fp16"])
def static_bundle(request, student_config, student_checkpoint, tmp_path_factory):
    out = tmp_path_factory.mktemp("static") / "bundle"
    return export_bundle(student_config, student_checkpoint, out, backend=request.param)


def test_static_bundle_answers_as_mmseg_does(static_bundle, torch_labels):
    predictor = Predictor(static_bundle.root)
    least = 0.99 if static_bundle.manifest.precision == "float16" else 0.999
    for image, expected in torch_labels.items():
        labels = predictor(image).labels
        assert labels.shape == expected.shape
        assert np.mean(labels == expected) > least


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "ncnn"])
def test_dynamic_bundle_answers_as_torch_does(
    student_config, student_checkpoint, build_student, test_images, tmp_path, backend
):
    """At the image's own size, padded to a multiple of 16."""
    bundle = export_bundle(
        student_config, student_checkpoint, tmp_path / "b", backend=backend, dynamic=True
    )
    assert bundle.manifest.input.size is None
    predictor = Predictor(bundle.root)
    model = build_student()
    for image in test_images:
        pixels = cv2.imread(str(image))
        rgb = torch.from_numpy(pixels[..., ::-1].copy()).permute(2, 0, 1).float()
        preprocessor = model.data_preprocessor
        batch = ((rgb - preprocessor.mean) / preprocessor.std)[None]
        height, width = pixels.shape[:2]
        padded = torch.nn.functional.pad(batch, (0, -width % 16, 0, -height % 16))
        with torch.no_grad():
            logits = model(padded, mode="tensor")[0, :, :height, :width]
        assert np.mean(predictor(image).labels == logits.argmax(0).numpy()) > 0.999
        np.testing.assert_allclose(predictor.logits(image), logits.numpy(), atol=1e-3, rtol=1e-3)


def test_a_layer_cut_into_tiles_gives_the_same_labels(
    student_config, student_checkpoint, deploy_data, tmp_path
):
    bundle = export_bundle(student_config, student_checkpoint, tmp_path / "b", dynamic=True)
    assert bundle.manifest.input.halo % 16 == 0
    assert 16 <= bundle.manifest.input.halo <= 64
    layers = sorted((deploy_data / "images/train").iterdir())[:6]
    tiles = [cv2.imread(str(path)) for path in layers]
    plate = np.vstack([np.hstack(tiles[:3] * 3), np.hstack(tiles[3:] * 3)] * 3)[:-5, :-9]
    whole = Predictor(bundle.root)(plate).labels
    tiled = Predictor(bundle.root, max_pixels=192 * 192)(plate).labels
    assert len(np.unique(whole)) > 2
    np.testing.assert_array_equal(tiled, whole)


@pytest.mark.parametrize("int8", [False, True], ids=["float", "int8"])
def test_a_real_frame_cut_into_tiles_gives_the_same_labels(
    student_config, student_checkpoint, shared_data, tmp_path, int8
):
    """Twelve megapixels of a real powder bed; INT8 sums whole numbers, so it is exact as well."""
    frames = sorted((shared_data / "powder_bed_frames").glob("*/*.jpg"))
    if not frames:
        pytest.skip(f"no frames: {shared_data} holds no powder_bed_frames")
    images = (cv2.imread(str(path)) for path in frames)
    frame = next(image for image in images if image.shape[:2] == (3302, 3772))
    deploy_config = load_deploy_config("openvino", size=None)
    deploy_config.gate.limits.int8 = {}
    bundle = export_bundle(
        student_config, student_checkpoint, tmp_path / "b", int8=int8, deploy_config=deploy_config
    )
    whole = Predictor(bundle.root, max_pixels=frame.size)(frame).labels
    assert len(np.unique(whole)) > 2
    for max_pixels in (1024 * 1024, 500 * 700):
        tiled = Predictor(bundle.root, max_pixels=max_pixels)(frame).labels
        np.testing.assert_array_equal(tiled, whole)


def test_graph_is_the_folded_student_between_frame_and_labels(
    student_config, student_checkpoint, tmp_path
):
    bundle = export_bundle(
        student_config, student_checkpoint, tmp_path / "b", backend="onnxruntime"
    )
    graph = onnx.load(bundle.model_path).graph
    kernels = {i.name: list(i.dims)[2:] for i in graph.initializer}
    operators = [node.op_type for node in graph.node if node.op_type != "Identity"]
    convolutions = [kernels[node.input[1]] for node in graph.node if node.op_type == "Conv"]
    assert sorted(convolutions) == [[1, 1]] + [[3, 3]] * 10
    assert operators[:5] == ["Transpose", "Gather", "Cast", "Sub", "Div"]
    labels = operators.index("Split")
    assert sorted(set(operators[5:labels])) == ["Conv", "ConvTranspose", "Relu"]
    assert sorted(set(operators[labels:])) == [
        "Concat", "Greater", "Max", "ReduceSum", "Reshape", "Slice", "Split", "Squeeze", "Where"
    ]  # fmt: skip
    assert operators.count("ConvTranspose") == 4
    assert [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim] == [1, 64, 64, 3]


def test_manifest_says_what_the_runtime_needs(static_bundle, student_config):
    manifest = read_bundle(static_bundle.root).manifest
    assert (manifest.classes, manifest.palette) == dataset_classes(Config.fromfile(student_config))
    assert manifest.classes[4] == "Streaking"
    assert manifest.palette[4] == (0, 255, 255)
    assert manifest.input.mean == (123.675, 116.28, 103.53)
    assert manifest.input.size == (64, 64)
    pairs = manifest.figures["gate"]["differences"]
    assert [(pair["earlier"], pair["later"]) for pair in pairs] == [
        ("multi-branch", "folded"),
        ("multi-branch", "exported"),
        ("folded", "exported"),
    ]
    if manifest.precision == "float32":
        assert max(pair["largest"] for pair in pairs) < 1e-3
    assert manifest.provenance["folded"] is True


@pytest.mark.parametrize("white_level", [None, 4095])
def test_the_white_level_of_the_test_data_is_in_the_bundle(
    student_config, student_checkpoint, tmp_path, white_level
):
    config = Config.fromfile(student_config)
    dataset = config.test_dataloader.dataset
    dataset.white_level = white_level
    config.test_dataloader.dataset = dict(type="RepeatDataset", times=1, dataset=dataset)
    deploy_config = load_deploy_config("onnxruntime", (64, 64))
    made = exporter.Exporter(config, student_checkpoint, deploy_config, tmp_path)
    assert made.manifest.input.white_level == white_level


def test_export_of_other_weights_is_caught(
    student_config, student_checkpoint, build_student, tmp_path, monkeypatch
):
    """Sabotage: what is exported is not what the checkpoint holds."""
    other = tmp_path / "other.pth"
    torch.save(dict(state_dict=build_student(seed=1).state_dict()), other)
    real = exporter.torch2onnx

    def swapped(*args):
        return real(*args[:5], str(other), *args[6:])

    monkeypatch.setattr(exporter, "torch2onnx", swapped)
    with pytest.raises(GateError, match="exported against folded: logits differ by"):
        export_bundle(student_config, student_checkpoint, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_checkpoint_that_does_not_fit_is_refused(student_config, student_checkpoint, tmp_path):
    weights = torch.load(student_checkpoint, weights_only=True)["state_dict"]
    weights.pop("decode_head.conv_seg.bias")
    torch.save(dict(state_dict=weights), tmp_path / "cut.pth")
    with pytest.raises(CheckpointMismatchError, match=r"decode_head\.conv_seg\.bias"):
        export_bundle(student_config, tmp_path / "cut.pth", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_config_of_a_distillation_is_refused(repository, student_checkpoint, tmp_path):
    (config,) = (repository / "configs/demo").glob("kd-*.py")
    with pytest.raises(CheckpointMismatchError, match=r"extract_student\.py"):
        export_bundle(config, student_checkpoint, tmp_path / "bundle", dynamic=True)


def test_taken_folder_is_noticed_before_the_work(student_config, student_checkpoint, tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="holds files but is no bundle"):
        export_bundle(student_config, student_checkpoint, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "notes.txt").read_text() == "mine"


def test_size_has_to_come_from_somewhere(student_config, student_checkpoint, tmp_path):
    config = Config.fromfile(student_config)
    config.test_pipeline[1].scale = (100, 64)
    with pytest.raises(ExportError, match="100x64, which is no multiple of 16"):
        export_bundle(config, student_checkpoint, tmp_path / "bundle")
    config.test_pipeline[1].keep_ratio = True
    with pytest.raises(ExportError, match="--dynamic"):
        export_bundle(config, student_checkpoint, tmp_path / "bundle")
    with pytest.raises(FileNotFoundError, match=r"absent\.py"):
        export_bundle("absent.py", student_checkpoint, tmp_path / "bundle")


@pytest.mark.parametrize("backend", ["openvino", "ncnn"])
def test_int8_passes_the_gate_and_is_int8(backend, student_config, student_checkpoint, tmp_path):
    """Random weights are harsh on INT8: the limits are widened to what they can keep."""
    deploy_config = load_deploy_config(backend, size=None)
    deploy_config.gate.limits.int8 = dict(miou=10.0, class_iou=20.0)
    bundle = export_bundle(
        student_config, student_checkpoint, tmp_path / "b", int8=True, deploy_config=deploy_config
    )
    manifest = bundle.manifest
    assert manifest.precision == "int8"
    assert manifest.provenance["int8"]["accuracy_control"] is False
    later = [d["later"] for d in manifest.figures["gate"]["differences"]]
    assert later.count("INT8") == 3
    weights = bundle.root / "model.bin"
    state = torch.load(student_checkpoint)["state_dict"]
    size = sum(v.numel() for v in state.values())
    if backend == "ncnn":  # transposed convolutions stay in float
        size += 3 * sum(v.numel() for k, v in state.items() if "upsamples" in k)
    assert weights.stat().st_size < 2 * size


def test_ncnn_with_fp16_has_no_int8(student_config, student_checkpoint, tmp_path):
    with pytest.raises(ExportError, match="take --backend ncnn"):
        export_bundle(
            student_config, student_checkpoint, tmp_path / "b", backend="ncnn-fp16", int8=True
        )
