"""Pictures of recorded layers."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from recorded_build import record_layer
from tiny_bundle import tiny_manifest

from lwam_mm.monitor.record.classes import BuildClasses, build_classes
from lwam_mm.monitor.record.store import add_document
from lwam_mm.monitor.record.tables import Layer
from lwam_mm.monitor.view.build_data import class_colours
from lwam_mm.monitor.view.colours import rgb
from lwam_mm.monitor.view.pictures import (
    PictureGoneError,
    frame_of,
    labels_of,
    mask_png,
    overlay_jpeg,
)
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
        classes = build_classes(session, layer.build_id)
    assert overlay_jpeg(record, layer, classes, 32)
    cv2.imwrite(layer.path, np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(PictureGoneError, match="no longer the image that was recorded"):
        frame_of(record, layer)
    (record.folder / layer.mask_path).unlink()
    with pytest.raises(PictureGoneError, match="is gone from the record"):
        labels_of(record, layer, classes)


def test_a_class_keeps_its_colour_when_the_model_changes(record, images):
    first = record_layer(record, 1, verdict="critical", images=images)  # Super was 1
    second = record_layer(record, 2, verdict="critical", images=images)
    other = tiny_manifest(classes=("Powder", "Spatter", "Super"))
    with record.writing() as session:
        layer = session.get_one(Layer, second)
        layer.model_sha256 = add_document(session, "model", other.to_json())
        mask = labels_of(record, layer, BuildClasses((), {}))
        layer.mask_path = record.save_mask("B1", "two", 2 * mask)
    with record.reading() as session:
        classes = build_classes(session, 1)
        colours = class_colours(session, 1)
        layers = [session.get_one(Layer, one) for one in (first, second)]
    assert list(colours) == ["Spatter", "Super", "Incomplete"]
    for layer in layers:
        mask = cv2.imdecode(np.frombuffer(mask_png(record, layer, classes, 64), np.uint8), -1)
        assert tuple(mask[12, 22][:3][::-1]) == rgb(colours["Super"])
        assert not mask[30, 30].any()
        drawn = cv2.imdecode(np.frombuffer(overlay_jpeg(record, layer, classes, 64), np.uint8), 1)
        redder = drawn[12, 22].astype(int)[2] - drawn[12, 22][0]
        assert (redder > 0) == (rgb(colours["Super"])[0] > rgb(colours["Super"])[2])
