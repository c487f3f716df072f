"""Pictures of recorded layers."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from recorded_build import record_layer
from tiny_bundle import tiny_manifest

from lwam_mm.monitor.record.store import add_document
from lwam_mm.monitor.record.tables import Layer
from lwam_mm.monitor.view.pictures import PictureGoneError, frame_of, mask_of, overlay_jpeg
from lwam_mm.monitor.watch.read_frame import read_frame


def test_a_frame_of_16_bits_is_shown_as_the_model_saw_it(record, images):
    layer_id = record_layer(record, 1, images=images)
    deep = np.full((64, 64), 2048, np.uint16)
    spec = dataclasses.replace(tiny_manifest().input, white_level=4095)
    with record.writing() as session:
        layer = session.get(Layer, layer_id)
        cv2.imwrite(layer.path, deep)
        layer.image_sha256 = read_frame(Path(layer.path)).sha256
        manifest = tiny_manifest(input=spec)
        layer.model_sha256 = add_document(session, "model", manifest.to_json())
    assert (frame_of(record, layer) == round(2048 / 4095 * 255)).all()


def test_another_image_of_the_same_name_is_not_shown(record, images):
    layer_id = record_layer(record, 1, verdict="critical", images=images)
    with record.reading() as session:
        layer = session.get(Layer, layer_id)
    assert overlay_jpeg(record, layer, 32)
    cv2.imwrite(layer.path, np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(PictureGoneError, match="no longer the image that was recorded"):
        frame_of(record, layer)
    (record.folder / layer.mask_path).unlink()
    with pytest.raises(PictureGoneError, match="is gone from the record"):
        mask_of(record, layer)
