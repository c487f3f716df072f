from __future__ import annotations

import copy

import pytest
from mmengine.config import Config

from lwam_mm.deploy.deploy_config import ExportError
from lwam_mm.deploy.deployable import (
    check_deployable,
    dataset_classes,
    normalisation,
    tested_size,
)
from lwam_mm.models.checkpoint import CheckpointMismatchError

SIZE = (64, 64)


@pytest.fixture
def config(student_config):
    return Config.fromfile(student_config)


def resize(**settings):
    return dict(type="Resize", scale=SIZE, keep_ratio=False) | settings


def set_pipelines(config, change):
    """Apply a change to the test pipeline and to those of both data sets."""
    for pipeline in (
        config.test_pipeline,
        config.val_dataloader.dataset.pipeline,
        config.test_dataloader.dataset.pipeline,
    ):
        change(pipeline)


def refusal(config, size=SIZE) -> str:
    with pytest.raises(ExportError) as refused:
        check_deployable(config, size)
    return str(refused.value)


@pytest.mark.parametrize("size", [SIZE, None])
def test_our_students_are_deployable(config, size):
    check_deployable(config, size)


def test_every_config_of_a_segmentor_is_deployable(repository):
    """Some peers are not at a fixed size.

    PIDNet and STDC resize their logits with aligned corners, others want multiples of 32, which 208
    pixels are not, and what is tested on whole frames has no fixed size.
    """
    refused = {}
    for path in sorted((repository / "configs").glob("*/*.py")):
        config = Config.fromfile(path) if path.parent.name not in ("_base_", "deploy") else {}
        if "val_dataloader" not in config or config.model.get("distiller"):
            continue
        check_deployable(config, None)
        try:
            check_deployable(config, tested_size(config))
        except ExportError as error:
            refused[path.stem] = str(error)
    aligned = {name for name, said in refused.items() if "align_corners is True" in said}
    assert {name.partition("_")[0] for name in aligned} == {"pidnet-s", "stdc1"}
    whole = {name for name, said in refused.items() if "has no Resize" in said}
    assert {name.partition("_")[2].partition("_")[2] for name in whole} == {
        "polito-frames-512x512",
        "powder-bed-clean-512x512",
        "powder-bed-drawn-512x512",
    }
    left = refused.keys() - aligned - whole
    assert all(name.endswith("neu-seg-208x208") for name in left)
    assert all("multiple of it" in refused[name] for name in left)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (dict(interpolation="area"), "interpolation='bilinear'"),
        (dict(interpolation="nearest"), "interpolation='nearest'"),
        (dict(backend="pillow"), "backend='pillow'"),
        (dict(keep_ratio=True), "keep_ratio=True"),
        (dict(scale=None, scale_factor=0.5), "scale_factor=0.5"),
        (dict(scale=(32, 32)), "takes 64x64"),
        (dict(scale=32), "takes 64x64"),
    ],
)
def test_another_resize_is_refused_unless_the_model_takes_any_size(config, settings, named):
    set_pipelines(config, lambda pipeline: pipeline[1].update(settings))
    said = refusal(config)
    assert named in said
    assert "test_pipeline, val_dataloader.dataset.pipeline, test_dataloader.dataset.pipel" in said
    assert said.count("Resize(") == 1
    check_deployable(config, None)


@pytest.mark.parametrize("kind", ["mmcv.Resize", "mmseg.Resize"])
def test_a_resize_under_another_name_counts(config, kind):
    set_pipelines(config, lambda pipeline: pipeline[1].update(type=kind))
    check_deployable(config, SIZE)
    assert tested_size(config) == SIZE
    set_pipelines(config, lambda pipeline: pipeline[1].update(interpolation="area"))
    assert f"{kind}(" in refusal(config)


def test_a_scale_of_one_number_is_a_square(config):
    set_pipelines(config, lambda pipeline: pipeline[1].update(scale=64))
    check_deployable(config, tested_size(config))


def test_width_and_height_are_not_confused(config):
    set_pipelines(config, lambda pipeline: pipeline[1].update(scale=(96, 64)))
    assert tested_size(config) == (64, 96)
    check_deployable(config, (64, 96))
    assert "takes 64x96" in refusal(config, (96, 64))
    config.model.data_preprocessor.test_cfg.size_divisor = 64
    assert "pads nothing" in refusal(config, (64, 96))
    for scale in ((100, 64), (64, 100)):
        config.test_pipeline[1].scale = scale
        with pytest.raises(ExportError, match="no multiple of 16"):
            tested_size(config)


def test_a_preprocessor_need_not_say_more_than_it_does(config):
    config.model.data_preprocessor.pop("pad_val")
    config.model.data_preprocessor.std = [0.5, 0.5, 0.5]
    check_deployable(config, None)


def test_a_scale_that_depends_on_the_image_fixes_no_size(config):
    set_pipelines(config, lambda pipeline: pipeline[1].update(scale=None, scale_factor=0.5))
    with pytest.raises(ExportError, match="--dynamic"):
        tested_size(config)
    check_deployable(config, None)


def test_no_resize_is_fine_and_two_are_not(config):
    twice = copy.deepcopy(config)
    set_pipelines(twice, lambda pipeline: pipeline.insert(2, resize()))
    assert "resizes 2 times" in refusal(twice)
    set_pipelines(config, lambda pipeline: pipeline.pop(1))
    check_deployable(config, SIZE)


@pytest.mark.parametrize("size", [SIZE, None])
@pytest.mark.parametrize(
    "transform",
    [
        dict(type="Normalize", mean=[0.0] * 3, std=[255.0] * 3, to_rgb=True),
        dict(type="CLAHE"),
        dict(type="RGB2Gray"),
        dict(type="CenterCrop", crop_size=(32, 32)),
        dict(type="RandomFlip", prob=0.5),
        dict(type="Pad", size_divisor=32),
        dict(type="ResizeToMultiple", size_divisor=32),
        dict(type="RandomBrightnessContrast", brightness=(0.5, 1.4), contrast=(0.6, 2.2)),
        dict(type="NobodyKnowsThis"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else str(value),
)
def test_what_the_runtime_does_not_do_is_refused_wherever_it_stands(config, transform, size):
    for place in ("test_pipeline", "val_dataloader", "test_dataloader"):
        changed = copy.deepcopy(config)
        node = changed[place]
        pipeline = node if place == "test_pipeline" else node.dataset.pipeline
        pipeline.insert(1, transform)
        said = refusal(changed, size)
        assert f"{place}" in said
        assert f"{transform['type']}(" in said
        assert "is not done by the runtime; take it out" in said


def test_images_are_loaded_as_the_runtime_reads_them(config):
    set_pipelines(config, lambda pipeline: pipeline[0].update(type="LoadImageFromFile"))
    assert "LoadImageFromFile() is not done by the runtime" in refusal(config)


def test_pipelines_inside_wrappers_count(config):
    inner = config.val_dataloader.dataset
    other = copy.deepcopy(inner)
    other.pipeline[1].interpolation = "area"
    wrapped = dict(
        type="ConcatDataset", datasets=[inner, dict(type="SeededDataset", dataset=other)]
    )
    config.val_dataloader.dataset = wrapped
    assert "  val_dataloader.dataset.datasets.1.dataset.pipeline: Resize(" in refusal(config)
    other.pipeline[1].interpolation = "bilinear"
    check_deployable(config, SIZE)
    config.test_dataloader = config.val_dataloader
    assert dataset_classes(config)[0][1] == "Super"


def test_mmdeploy_needs_the_test_pipeline(config):
    config.pop("test_pipeline")
    assert "test_pipeline is not set" in refusal(config)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (dict(bgr_to_rgb=False), "bgr_to_rgb is off"),
        (dict(bgr_to_rgb=False, rgb_to_bgr=True), "bgr_to_rgb is off"),
        (dict(type="ImgDataPreprocessor"), "type is ImgDataPreprocessor"),
        (dict(mean=[0.0, 0.0, 0.0], std=None), "std=None"),
        (dict(mean=[0.0, 0.0]), "one number for each"),
        (dict(std=[1.0, 0.0, 1.0]), "std above 0"),
        (dict(test_cfg=dict(size=(96, 96))), r"test_cfg.size is (96, 96)"),
        (dict(test_cfg=dict(size_divisor=48)), "pads nothing"),
    ],
)
def test_a_preprocessor_that_the_runtime_cannot_follow_is_refused(config, settings, said):
    config.model.data_preprocessor.update(settings)
    assert said in refusal(config)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (dict(pad_val=114), "pad_val is 114"),
        (dict(test_cfg=None), "size_divisor is None"),
        (dict(test_cfg=dict(size_divisor=24)), "size_divisor is 24"),
    ],
)
def test_padding_counts_where_images_are_padded(config, settings, said):
    config.model.data_preprocessor.update(settings)
    assert said in refusal(config, None)
    if "24" not in said:
        check_deployable(config, SIZE)


def test_a_preprocessor_that_stands_beside_the_model_counts(config):
    config.data_preprocessor = config.model.pop("data_preprocessor")
    check_deployable(config, SIZE)
    config.data_preprocessor.bgr_to_rgb = False
    assert "bgr_to_rgb is off" in refusal(config)
    config.pop("data_preprocessor")
    assert "data_preprocessor.type is None" in refusal(config)


def test_without_normalisation_mean_is_0_and_std_1():
    assert normalisation(dict(mean=None, std=None)) == ((0.0,) * 3, (1.0,) * 3)
    assert normalisation({}) == ((0.0,) * 3, (1.0,) * 3)
    assert normalisation(dict(mean=[7], std=[1, 2, 3])) == ((7.0,) * 3, (1.0, 2.0, 3.0))


def test_slide_inference_is_refused(config):
    config.model.test_cfg = dict(mode="slide", crop_size=(32, 32), stride=(16, 16))
    for size in (SIZE, None):
        assert "test_cfg.mode is 'slide'" in refusal(config, size)


def test_validation_and_test_have_the_same_classes_in_the_same_order(config):
    classes = list(dataset_classes(config)[0])
    config.val_dataloader.dataset.metainfo = dict(classes=classes[::-1])
    said = refusal(config)
    assert "val_dataloader.dataset has the classes Lattice" in said
    assert "but the test set Background" in said
    inner = config.val_dataloader.dataset
    fewer = copy.deepcopy(inner) | dict(metainfo=dict(classes=["Background", "Defect"]))
    inner.pop("metainfo")
    config.val_dataloader.dataset = dict(type="ConcatDataset", datasets=[inner, fewer])
    assert "dataset.datasets.1 has the classes Background, Defect, but" in refusal(config)


def test_the_test_set_may_be_left_out(config):
    config.pop("test_dataloader")
    check_deployable(config, SIZE)
    assert len(dataset_classes(config)[0]) == 6


def test_the_config_of_a_distillation_is_refused(repository):
    (path,) = (repository / "configs/demo").glob("kd-*.py")
    with pytest.raises(CheckpointMismatchError, match=r"extract_student\.py"):
        check_deployable(Config.fromfile(path), SIZE)
