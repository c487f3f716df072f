"""Masks of several models in the classes of one."""

from __future__ import annotations

import numpy as np
import pytest
from recorded_build import record_layer
from tiny_bundle import tiny_manifest

from lwam_mm.monitor.record.classes import build_classes
from lwam_mm.monitor.record.store import Record, add_document
from lwam_mm.monitor.record.tables import Layer


@pytest.fixture
def session(tmp_path, database_url):
    record = Record(tmp_path / "record", database_url)
    record_layer(record, 1)  # Background, Super, Incomplete
    layer = record_layer(record, 2)
    other = tiny_manifest(classes=("Powder", "Spatter", "Super"))
    with record.writing() as session:
        session.get_one(Layer, layer).model_sha256 = add_document(session, "model", other.to_json())
    record_layer(record, 3, state="missing", verdict="not_inspected")
    with record.reading() as opened:
        yield opened
    record.close()


def test_the_latest_models_classes_come_first(session):
    classes = build_classes(session, 1)
    assert classes.names == ("Powder", "Spatter", "Super", "Incomplete")
    latest, first = classes.of_model
    labels = np.array([[0, 1, 2]], np.uint8)
    assert classes.translate(labels, first).tolist() == [[0, 2, 3]]
    assert classes.translate(labels, latest).tolist() == [[0, 1, 2]]


def test_what_a_model_does_not_have_is_its_background(session):
    classes = build_classes(session, 1)
    _, first = classes.of_model
    labels = np.array([[0, 1, 2]], np.uint8)
    names = classes.names[:3]
    assert classes.translate(labels, first, names).tolist() == [[0, 2, 0]]
