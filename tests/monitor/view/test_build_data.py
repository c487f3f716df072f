"""What page and report show, from SQLite and from PostgreSQL."""

import pytest
from recorded_build import HEALTH as RECORDED
from recorded_build import record_layer
from sqlalchemy import update

from lwam_mm.monitor.record.store import Record, RecordError, find_build
from lwam_mm.monitor.record.tables import Region
from lwam_mm.monitor.view.build_data import (
    HEALTH,
    alarm_rows,
    area_by_class,
    class_colours,
    latest_layers,
    layer_columns,
    region_points,
    steps_of,
)


@pytest.fixture
def session(tmp_path, database_url):
    record = Record(tmp_path / "record", database_url)
    record_layer(record, 1)
    record_layer(record, 2, verdict="minor", mm=False)
    record_layer(record, 4, verdict="not_inspected", state="missing")
    record_layer(record, 3, verdict="critical")
    record_layer(record, 2, verdict="critical", revision=1)
    record_layer(record, 2, step="exposed")
    record_layer(record, 1, build="other", verdict="critical")
    with record.reading() as opened:
        yield opened
    record.close()


def test_layers_come_by_number_each_in_its_last_revision(session):
    columns = layer_columns(session, 1, "recoated")
    assert (columns.numbers, columns.verdicts) == ([1, 2, 3, 4], "occx")
    assert columns.health == {name: [*[RECORDED[name]] * 3, None] for name in HEALTH}
    after = layer_columns(session, 1, "recoated", after=columns.ids[2])
    assert after.numbers == [2]
    assert [layer.id for layer in latest_layers(session, 1, "recoated")] == columns.ids
    assert list(steps_of(session, 1)) == ["recoated", "exposed"]


def test_areas_and_places_are_those_of_the_last_revisions(session):
    assert area_by_class(session, 1, "recoated") == (
        *("mm²", {"Super": {"layers": [2, 3], "areas": [4.0, 4.0]}}),
    )
    points = region_points(session, 1, "recoated")
    assert (points.unit, points.layers, points.left_out) == ("mm", [2, 3], 0)
    assert region_points(session, 1, "recoated", limit=1).left_out == 1


def test_a_class_of_an_earlier_model_keeps_a_colour(session):
    assert list(class_colours(session, 1)) == ["Super", "Incomplete"]
    session.execute(update(Region).values(class_name="Spatter"))
    colours = class_colours(session, 1)
    assert list(colours) == ["Super", "Incomplete", "Spatter"]
    assert len(set(colours.values())) == 3


def test_alarms_are_listed_and_a_build_is_found(session):
    assert [alarm["layer"] for alarm in alarm_rows(session, 1)] == [2, 3, 2]
    with pytest.raises(RecordError, match="name one of B1, other"):
        find_build(session, "B2")
