from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config

from lwam_mm.deploy import export
from lwam_mm.deploy.export import ExportError, dataset_classes, export_bundle
from lwam_mm.models.checkpoint import CheckpointMismatchError
from lwam_mm.runtime import BundleError, Predictor, read_bundle


@pytest.fixture(scope="module")
def static_bundle(student_config, student_checkpoint, tmp_path_factory):
    out = tmp_path_factory.mktemp("static") / "bundle"
    return export_bundle(student_config, student_checkpoint, out)


def test_static_bundle_answers_as_mmseg_does(static_bundle, torch_labels):
    predictor = Predictor(static_bundle.root)
    for image, expected in torch_labels.items():
        labels = predictor(image).labels
        assert labels.shape == expected.shape
        assert np.mean(labels == expected) > 0.999


def test_dynamic_bundle_answers_as_torch_does(
    student_config, student_checkpoint, build_student, test_images, tmp_path
):
    """At the image's own size, padded to a multiple of 16."""
    bundle = export_bundle(student_config, student_checkpoint, tmp_path / "b", dynamic=True)
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


def test_graph_is_the_folded_student(static_bundle):
    graph = onnx.load(static_bundle.model_path).graph
    kernels = {i.name: list(i.dims)[2:] for i in graph.initializer}
    operators = [node.op_type for node in graph.node if node.op_type != "Identity"]
    convolutions = [kernels[node.input[1]] for node in graph.node if node.op_type == "Conv"]
    assert sorted(convolutions) == [[1, 1]] + [[3, 3]] * 10
    assert sorted(set(operators)) == ["Conv", "ConvTranspose", "Relu"]
    assert operators.count("ConvTranspose") == 4
    assert [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim] == [1, 3, 64, 64]


def test_manifest_says_what_the_runtime_needs(static_bundle, student_config):
    manifest = read_bundle(static_bundle.root).manifest
    assert (manifest.classes, manifest.palette) == dataset_classes(Config.fromfile(student_config))
    assert manifest.classes[4] == "Streaking"
    assert manifest.palette[4] == (0, 255, 255)
    assert manifest.input.mean == (123.675, 116.28, 103.53)
    assert manifest.input.size == (64, 64)
    assert manifest.figures["largest_logit_difference_to_torch"] < 1e-3
    assert manifest.provenance["folded"] is True


def test_export_of_other_weights_is_caught(
    student_config, student_checkpoint, build_student, tmp_path, monkeypatch
):
    """Sabotage: what is exported is not what the checkpoint holds."""
    other = tmp_path / "other.pth"
    torch.save(dict(state_dict=build_student(seed=1).state_dict()), other)
    real = export.torch2onnx

    def swapped(*args):
        return real(*args[:5], str(other), *args[6:])

    monkeypatch.setattr(export, "torch2onnx", swapped)
    with pytest.raises(ExportError, match="logits are off by"):
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
