from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from lwam_mm.deploy.compared_models import ValidationImages, load_multi_branch, torch_stage
from lwam_mm.models.checkpoint import CheckpointMismatchError
from lwam_mm.models.training_record import TrainingRecord
from lwam_mm.utils.errors import UserError


@pytest.fixture(scope="module")
def config(student_config):
    return Config.fromfile(student_config)


def test_samples_are_the_validation_images_with_their_truth(config, deploy_data):
    samples = ValidationImages(config)
    files = sorted((deploy_data / "images/val").iterdir())
    assert [sample.path for sample in samples] == files
    for sample in samples:
        truth = cv2.imread(str(deploy_data / "masks/val" / sample.path.name), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(sample.truth, truth)


def test_fewer_are_spread_over_the_set(config):
    everything = [sample.path for sample in ValidationImages(config)]
    assert len(everything) == 4
    assert [sample.path for sample in ValidationImages(config, 2)] == [everything[1], everything[3]]
    assert len(ValidationImages(config, 99)) == 4
    assert [image.path for image in ValidationImages(config, 2).all()] == everything


def test_whole_images_are_not_resized(config):
    resized = Config(config.to_dict())
    resized.val_dataloader.dataset.pipeline[1].scale = (32, 32)
    assert ValidationImages(resized)[0].item["inputs"].shape[1:] == (32, 32)
    assert ValidationImages(resized, whole=True)[0].item["inputs"].shape[1:] == (64, 64)


def test_the_torch_stage_is_mmsegs_own_answer(config, build_student, torch_labels, deploy_data):
    test = Config(config.to_dict())
    test.val_dataloader = test.test_dataloader
    stage = torch_stage(build_student())
    for sample in ValidationImages(test):
        seen = stage(sample)
        assert seen.logits.shape == (6, *sample.truth.shape)
        # Of the same net; another number of threads may round a tie to the other class.
        expected = np.take_along_axis(seen.logits, torch_labels[sample.path][None], axis=0)[0]
        np.testing.assert_allclose(expected, seen.logits.max(0), atol=1e-5)
        np.testing.assert_array_equal(seen.labels, seen.logits.argmax(0))


def test_the_multi_branch_net_is_loaded_strictly(config, student_checkpoint, tmp_path):
    model, record = load_multi_branch(config, student_checkpoint)
    assert record == TrainingRecord()
    assert not model.training
    assert not model.backbone.stage0[0].is_folded
    weights = torch.load(student_checkpoint, weights_only=True)["state_dict"]
    del weights["decode_head.conv_seg.bias"]
    torch.save(dict(state_dict=weights), tmp_path / "cut.pth")
    with pytest.raises(CheckpointMismatchError, match="conv_seg"):
        load_multi_branch(config, tmp_path / "cut.pth")


def test_a_mask_of_another_size_than_its_image_is_an_error_of_the_pipeline(config):
    early = Config(config.to_dict())
    pipeline = early.val_dataloader.dataset.pipeline
    pipeline.insert(1, pipeline.pop(2))
    pipeline[2].scale = (32, 32)
    with pytest.raises(UserError, match="LoadIndexMask after Resize"):
        ValidationImages(early)[0]


def test_images_without_masks_are_an_error_of_the_config(config):
    blind = Config(config.to_dict())
    del blind.val_dataloader.dataset.data_prefix["seg_map_path"]
    with pytest.raises(UserError, match=r"gives no mask .* seg_map_path"):
        ValidationImages(blind)[0]


def test_wrapped_data_sets_are_read_whole_too(config):
    wrapped = Config(config.to_dict())
    inner = wrapped.val_dataloader.dataset
    inner.pipeline[1].update(type="mmseg.Resize", scale=(32, 32))
    wrapped.val_dataloader.dataset = dict(type="ConcatDataset", datasets=[inner, inner])
    images = ValidationImages(wrapped, whole=True)
    assert len(images) == 8
    assert images[7].item["inputs"].shape[1:] == (64, 64)
