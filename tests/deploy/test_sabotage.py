"""Each way to export a model that is not the trained one is caught: by tools/deploy.py, as a user
runs it, with status 1, a reason and no bundle."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from lwam_mm.deploy import exporter
from lwam_mm.engine.launch import run_tool
from lwam_mm.runtime import read_bundle

BACKENDS = ["onnxruntime", "openvino"]


@pytest.fixture(scope="module")
def tool(repository):
    spec = importlib.util.spec_from_file_location("deploy_tool", repository / "tools/deploy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def deploy(tool, student_config, student_checkpoint, tmp_path, capsys, monkeypatch):
    """Function running the tool; returns its exit status, what it said and the bundle's folder."""

    def run(backend="onnxruntime", checkpoint=student_checkpoint, options=()):
        out = tmp_path / "bundle"
        arguments = [student_config, checkpoint, "--out", out, "--backend", backend, *options]
        monkeypatch.setattr(sys, "argv", ["deploy.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            run_tool(tool.main)
        said = capsys.readouterr()
        assert [path.name for path in tmp_path.iterdir() if "bundle" in path.name] in (
            [],
            ["bundle"],
        )
        return stopped.value.code, said.out + said.err, out

    return run


def caught(result, *reasons):
    status, said, out = result
    assert status == 1
    assert not out.exists()
    for reason in reasons:
        assert reason in said, said


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_honest_export_passes(deploy, backend):
    status, said, out = deploy(backend)
    assert status == 0, said
    assert (out / "bundle.json").is_file()
    assert "exported  multi-branch" in said


def test_a_wrong_batch_norm_statistic(deploy, monkeypatch):
    real = exporter.reparameterize

    def fold_another(model):
        folded = real(model)
        folded.backbone.stage0[0].folded.bias.data[0] += 0.01
        return folded

    monkeypatch.setattr(exporter, "reparameterize", fold_another)
    caught(deploy(), "folded against multi-branch: logits differ by")


def change_weights(monkeypatch, change):
    real = exporter.Exporter.to_onnx

    def exported(self):
        model = real(self)
        for tensor in model.graph.initializer:
            if "conv_seg" in tensor.name:
                change(tensor)
        return model

    monkeypatch.setattr(exporter.Exporter, "to_onnx", exported)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_classes_in_each_others_place(deploy, monkeypatch, backend):
    def swap(tensor):
        value = numpy_helper.to_array(tensor).copy()
        value[[1, 2]] = value[[2, 1]]
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))

    change_weights(monkeypatch, swap)
    caught(deploy(backend), "exported against folded: logits differ by", "of the pixels agree")


def test_a_weight_that_is_not_a_number(deploy, monkeypatch):
    def spoil(tensor):
        value = numpy_helper.to_array(tensor).copy()
        value.flat[0] = np.nan
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))

    change_weights(monkeypatch, spoil)
    caught(deploy(), "NaN or infinity")


def prepare_wrongly(monkeypatch, change):
    real = exporter.take_frames
    monkeypatch.setattr(exporter, "take_frames", lambda *args: change(real, *args))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_mean_of_another_data_set(deploy, monkeypatch, backend):
    prepare_wrongly(
        monkeypatch,
        lambda real, model, mean, std, pad: real(model, [m + 2 for m in mean], std, pad),
    )
    caught(deploy(backend), "exported against folded: logits differ by")


def test_a_spread_of_another_data_set(deploy, monkeypatch):
    prepare_wrongly(
        monkeypatch,
        lambda real, model, mean, std, pad: real(model, mean, [s * 1.02 for s in std], pad),
    )
    caught(deploy(), "exported against folded: logits differ by")


@pytest.mark.parametrize("backend", BACKENDS)
def test_red_for_blue(deploy, monkeypatch, backend, tmp_path):
    def keep_bgr(real, *args):
        model = real(*args)
        for tensor in model.graph.initializer:
            if tensor.name == "frame_bgr_to_rgb":
                tensor.CopyFrom(numpy_helper.from_array(np.arange(3), tensor.name))
                return model
        raise AssertionError("nothing to sabotage")

    prepare_wrongly(monkeypatch, keep_bgr)
    monkeypatch.setattr(
        exporter, "ValidationImages", colourful(exporter.ValidationImages, tmp_path)
    )
    caught(deploy(backend), "exported against folded: logits differ by")


def colourful(images, folder):
    """Grey layers look alike in either order: give each a colour cast first."""

    class Colourful(images):
        def __getitem__(self, index):
            import cv2

            sample = super().__getitem__(index)
            pixels = cv2.imread(str(sample.path)).astype(np.float32) * [1.0, 0.8, 0.6]
            tinted = folder / sample.path.name
            cv2.imwrite(str(tinted), pixels.astype(np.uint8))
            bgr = cv2.imread(str(tinted)).transpose(2, 0, 1)
            sample.item["inputs"] = torch.from_numpy(np.ascontiguousarray(bgr))
            return type(sample)(tinted, sample.truth, sample.item)

    return Colourful


def test_a_checkpoint_of_another_width(deploy, student_checkpoint, tmp_path):
    weights = torch.load(student_checkpoint, weights_only=True)["state_dict"]
    wide = {
        name: value.repeat_interleave(2, 0) if value.ndim else value
        for name, value in weights.items()
    }
    path = tmp_path / "wide.pth"
    torch.save(dict(state_dict=wide), path)
    caught(deploy(checkpoint=path), "wide.pth", "backbone.stage0.0.conv3x3.weight")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_truncated_model_file(deploy, monkeypatch, backend):
    def cut(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    if backend == "onnxruntime":
        real_save = onnx.save

        def save(model, path):
            real_save(model, path)
            cut(Path(path))

        monkeypatch.setattr(exporter.onnx, "save", save)
    else:
        real_convert = exporter.Exporter._convert

        def convert(self, *args):
            files = real_convert(self, *args)
            cut(files[1])
            return files

        monkeypatch.setattr(exporter.Exporter, "_convert", convert)
    caught(deploy(backend), "cannot be loaded by")


def test_images_that_are_not_there(deploy, tmp_path):
    caught(deploy(options=["--data-root", tmp_path / "nowhere"]), "nowhere/images/val")


def test_options_override_the_config_as_in_training(deploy):
    option = "val_dataloader.dataset.pipeline.1.interpolation=area"
    caught(deploy(options=["--cfg-options", option]), "interpolation='area'", "bilinear")


def test_a_validation_set_of_ignored_pixels_alone(deploy, deploy_data, tmp_path):
    import shutil

    import cv2

    root = tmp_path / "ignored"
    shutil.copytree(deploy_data, root)
    for mask in (root / "masks/val").iterdir():
        cv2.imwrite(str(mask), np.full((64, 64), 255, np.uint8))
    for options in ([], ["--int8"]):
        result = deploy(options=["--data-root", root, *options])
        caught(result, "every pixel is 255 (ignore)")


def test_no_error_names_a_temporary_file(deploy, monkeypatch):
    def spoil(tensor):
        value = numpy_helper.to_array(tensor).copy()
        value.flat[0] = np.nan
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))

    change_weights(monkeypatch, spoil)
    said = deploy()[1]
    assert "error: the exported model" in said
    assert "/tmp" not in said.partition("error:")[2]


def test_a_model_trained_without_normalisation(deploy, student_config):
    settings = ["data_preprocessor.mean=None", "data_preprocessor.std=None"]
    status, said, out = deploy(options=["--cfg-options", *(f"model.{s}" for s in settings)])
    assert status == 0, said
    bundle = read_bundle(out)
    assert (bundle.manifest.input.mean, bundle.manifest.input.std) == ((0.0,) * 3, (1.0,) * 3)
