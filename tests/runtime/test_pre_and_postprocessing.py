import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lwam_mm.runtime import InputSpec
from lwam_mm.runtime.pre_and_postprocessing import argmax, softmax, to_batch, to_image_size

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


def spec(size=None, divisor=16):
    return InputSpec("x", size, MEAN, STD, "stretch" if size else "pad", size_divisor=divisor)


def test_normalisation_is_rgb_minus_mean_over_std(picture):
    image = picture(32, 48)
    batch = to_batch(image, spec((32, 48)))
    assert batch.dtype == np.float32
    expected = (image[:, :, ::-1].transpose(2, 0, 1) - np.array(MEAN)[:, None, None]) / np.array(
        STD
    )[:, None, None]
    np.testing.assert_allclose(batch[0], expected, atol=1e-6)


def test_stretch_resizes_the_image_as_torch_does_up_to_the_rounding_to_bytes(picture):
    image = picture(61, 83)
    batch = to_batch(image, spec((32, 48)))
    assert batch.shape == (1, 3, 32, 48)
    rgb = torch.from_numpy(image[:, :, ::-1].transpose(2, 0, 1).astype(np.float32))[None]
    resized = F.interpolate(rgb, (32, 48), mode="bilinear", align_corners=False)[0].numpy()
    found = batch[0] * np.array(STD)[:, None, None] + np.array(MEAN)[:, None, None]
    assert np.abs(found - resized).max() <= 1.0


@pytest.mark.parametrize(
    ("size", "padded"),
    [((32, 48), (32, 48)), ((33, 47), (48, 48)), ((1, 1), (16, 16)), ((100, 17), (112, 32))],
)
def test_pad_appends_zeros_below_and_on_the_right(picture, size, padded):
    image = picture(*size)
    batch = to_batch(image, spec())
    assert batch.shape == (1, 3, *padded)
    whole = to_batch(image, spec(size))
    np.testing.assert_array_equal(batch[:, :, : size[0], : size[1]], whole)
    assert (batch[:, :, size[0] :] == 0).all()
    assert (batch[:, :, :, size[1] :] == 0).all()


def test_the_divisor_is_the_bundles(picture):
    assert to_batch(picture(33, 47), spec(divisor=40)).shape == (1, 3, 40, 80)


@pytest.mark.parametrize("size", [(61, 83), (17, 300), (256, 256), (64, 40), (1, 1), (200, 7)])
def test_logits_are_resized_as_torch_does(size):
    logits = np.random.default_rng(1).normal(size=(6, 64, 80)).astype(np.float32)
    found = to_image_size(logits, size, spec((64, 80)))
    expected = F.interpolate(
        torch.from_numpy(logits)[None], size, mode="bilinear", align_corners=False
    )[0].numpy()
    assert found.shape == (6, *size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    best = np.sort(expected, axis=0)
    clear = best[-1] - best[-2] > 1e-3
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(found.argmax(0)[clear], expected.argmax(0)[clear])


def test_padded_logits_are_cropped():
    logits = np.random.default_rng(1).normal(size=(6, 48, 64)).astype(np.float32)
    np.testing.assert_array_equal(to_image_size(logits, (33, 50), spec()), logits[:, :33, :50])


def test_softmax_is_torchs_even_for_large_logits():
    logits = np.random.default_rng(1).normal(size=(6, 10, 12)).astype(np.float32) * 300
    expected = torch.softmax(torch.from_numpy(logits), dim=0).numpy()
    np.testing.assert_allclose(softmax(logits), expected, atol=1e-6)


def test_a_frame_is_handed_over_as_it_is(picture):
    image = picture(33, 47)
    spec = InputSpec("x", None, MEAN, STD, "pad", kind="frame")
    batch = to_batch(image, spec)
    assert batch.dtype == np.uint8
    np.testing.assert_array_equal(batch, image[None])
    fixed = to_batch(image, InputSpec("x", (16, 32), MEAN, STD, "stretch", kind="frame"))
    np.testing.assert_array_equal(fixed[0], cv2.resize(image, (32, 16)))
    assert to_batch(image[::2, ::2], spec).flags.c_contiguous


def test_argmax_takes_the_first_of_equals():
    logits = np.random.default_rng(0).integers(0, 3, (6, 40, 50)).astype(np.float32)
    labels = argmax(logits)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, logits.argmax(axis=0))
