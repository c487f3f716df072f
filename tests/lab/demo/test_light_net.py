from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from lwam_mm.datasets.classes import CLASSES, PALETTE
from lwam_mm.lab.demo.data import DemoData
from lwam_mm.lab.demo.light_net import (
    START,
    crop_side,
    draw_on_frames,
    light_config,
    starting_weights,
)
from lwam_mm.models.checkpoint import load_weights, read_checkpoint

FRAMES = DemoData(
    root=Path("frames"),
    classes=CLASSES,
    palette=PALETTE,
    suffixes=(".jpg",),
    size=(1280, 1024),
    images={"train": 28, "val": 19},
    held_out="val",
    class_weight=(0.25,) * 6,
)


def train_transforms(config: Config) -> dict[str, Config]:
    return {step.type: step for step in config.train_dataloader.dataset.pipeline}


@pytest.mark.parametrize(
    ("size", "side"), [((4000, 3000), 512), ((1280, 500), 496), ((96, 96), 96), ((40, 10), 16)]
)
def test_crops_fit_the_frames_and_the_stride_of_the_net(size, side):
    assert crop_side(size) == side


def test_size_crops_and_batches_come_from_the_data():
    config = light_config(FRAMES, Path("work"))
    transforms = train_transforms(config)
    assert transforms["RandomResize"].scale == (1280, 1024)
    assert transforms["RandomDefectCrop"].crop_size == (512, 512)
    assert config.train_dataloader.batch_size == 4
    assert config.train_cfg.max_iters == 700  # a hundred crops of each of 28 frames
    assert config.train_cfg.val_interval == 700  # the last weights are taken
    assert not any("Resize" in step.type for step in config.test_dataloader.dataset.pipeline)
    assert config.test_dataloader.dataset.data_prefix.img_path == "images/val"


def test_small_frames_make_larger_batches():
    config = light_config(dataclasses.replace(FRAMES, size=(300, 96)), Path("work"))
    assert train_transforms(config)["RandomDefectCrop"].crop_size == (96, 96)
    assert config.train_dataloader.batch_size == 16
    assert config.train_cfg.max_iters == 300


def test_the_papers_classes_start_from_all_shipped_weights():
    config = light_config(FRAMES, Path("work"))
    assert starting_weights(config, FRAMES, print) == START
    assert config.model.decode_head.loss_decode[0].class_weight == [0.4, 1.0, 2.0, 1.0, 2.0, 1.0]


def test_defects_are_drawn_on_frames_that_are_loaded_and_not_resized():
    config = light_config(FRAMES, Path("work"))
    draw_on_frames(config, dataclasses.replace(FRAMES, roi="roi.json"), print)
    steps = [step.type for step in config.train_dataloader.dataset.pipeline]
    assert steps[:4] == ["LoadCheckedImage", "LoadIndexMask", "DrawDefects", "RandomResize"]
    assert train_transforms(config)["DrawDefects"].roi == "roi.json"
    assert "DrawDefects" not in {step.type for step in config.test_dataloader.dataset.pipeline}


@pytest.mark.parametrize("change", [dict(classes=tuple("abcdef")), dict(roi=None)])
def test_defects_of_other_classes_and_on_walls_are_not_drawn(change):
    config = light_config(FRAMES, Path("work"))
    draw_on_frames(config, dataclasses.replace(FRAMES, **{"roi": "roi.json", **change}), print)
    assert "DrawDefects" not in train_transforms(config)


@pytest.mark.parametrize("classes", [("Powder", "Scratch", "Dent"), tuple("abcdef")])
def test_other_classes_get_a_new_classifier_and_keep_the_rest(classes, tmp_path):
    weights = tuple(0.5 + index for index in range(len(classes)))
    data = dataclasses.replace(
        FRAMES, classes=classes, palette=PALETTE[: len(classes)], class_weight=weights
    )
    config = light_config(data, tmp_path)
    assert tuple(config.model.decode_head.loss_decode[0].class_weight) == weights
    said: list[str] = []
    start = starting_weights(config, data, said.append)
    assert "without decode_head.conv_seg.weight, decode_head.conv_seg.bias" in said[0]

    model = MODELS.build(config.model)
    load_weights(model, start)  # refuses what does not fit
    shipped, found = read_checkpoint(START).weights, model.state_dict()
    new = {
        name
        for name, weight in found.items()
        if weight.shape != shipped[name].shape or not torch.equal(weight, shipped[name])
    }
    assert new == {"decode_head.conv_seg.weight", "decode_head.conv_seg.bias"}
