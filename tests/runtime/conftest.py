"""Fixtures over tiny bundles."""

import functools

import numpy as np
import pytest
from tiny_bundle import MEAN, STD, draw_picture, save_model, tiny_manifest, write_tiny_bundle


@pytest.fixture
def make_bundle(tmp_path):
    """Return `write_tiny_bundle` into the test's folder."""
    return functools.partial(write_tiny_bundle, tmp_path)


@pytest.fixture
def new_model(tmp_path):
    """Return `save_model` into the test's folder."""
    return lambda name="model.onnx", shape=(1, 3, 32, 48), **model: save_model(
        tmp_path / name, list(shape), **model
    )


@pytest.fixture
def new_manifest():
    """Return `tiny_manifest`."""
    return tiny_manifest


@pytest.fixture
def picture():
    """Return `draw_picture`."""
    return draw_picture


@pytest.fixture
def by_hand():
    """Return the class map of the tiny model by arithmetic alone, for an image at its own size."""

    def labels(image):
        rgb = image[:, :, ::-1].astype(np.float64)
        return ((rgb - MEAN) / STD).argmax(axis=2)

    return labels
