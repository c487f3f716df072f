"""Calibrate and replay on a record that was written as the monitor writes it."""

from dataclasses import asdict

import pytest
from seen_layers import seen, spot

from lwam_mm.monitor.decide.decider import Decider
from lwam_mm.monitor.decide.decision import SeenLayer
from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.monitor.frame.health import FrameHealth
from lwam_mm.monitor.record.recorded_layers import (
    calibrate_recorded,
    recorded_layers,
    replay_recorded,
)
from lwam_mm.monitor.record.store import Record, RecordError, build_named, now
from lwam_mm.monitor.record.tables import Alarm, Layer, Region

POLICY = Policy((Rule("Super", "critical", 50, layers=2, of=3),), background_layers=0)
LAYERS = [
    *seen(
        (spot(60, part_id=2, part_distance_mm=0.0, mean_probability=0.8), spot(5, x=400)),
        spot(60),
        (),
        first=1,
    ),
    SeenLayer(4, None, FrameHealth(False, "the frame is dark", {"dark": 0.9})),
    SeenLayer(5, None, reason="no answer within 8 s"),
    SeenLayer(6, (spot(70, background=True),), FrameHealth(True, None, {"dark": 0.0}, "soot")),
    SeenLayer(2, (spot(99),), again=True),
]


@pytest.fixture
def record(tmp_path, database_url):
    record = Record(tmp_path / "record", database_url)
    with record.writing() as session:
        write(session, "B1", LAYERS)
        write(session, "B2", seen(spot(9), (), spot(20, x=500)))
    yield record
    record.close()


def write(session, name, layers):
    build = build_named(session, name)
    decider = Decider(POLICY)
    for layer in layers:
        decision = decider.decide(layer)
        row = Layer(
            build_id=build.id,
            number=layer.number,
            step="recoated",
            revision=int(layer.again),
            state="inspected" if layer.inspected else "not_inspected",
            verdict=decision.verdict,
            reason=decision.reason,
            health=layer.health.to_json(),
            recorded_at=now(),
        )
        session.add(row)
        session.flush()
        for region in decision.regions:
            values = {**asdict(region), "track_id": None}
            session.add(Region(layer_id=row.id, **values))
        for alarm in decision.raised:
            session.add(
                Alarm(
                    build_id=build.id,
                    layer_id=row.id,
                    kind=alarm.kind,
                    severity=alarm.severity,
                    class_name=alarm.class_name,
                    message=alarm.message,
                    raised_at=now(),
                )
            )
    session.add(
        Layer(
            build_id=build.id,
            number=99,
            step="recoated",
            state="missing",
            verdict="not_inspected",
            recorded_at=now(),
        )
    )


def test_layers_come_back_as_they_were_seen(record):
    with record.reading() as session:
        assert recorded_layers(session, "B1", "recoated") == LAYERS
        assert recorded_layers(session, "B1", "exposed") == []


def test_the_same_rules_decide_the_record_as_before(record):
    with record.reading() as session:
        assert replay_recorded(session, "B1", "recoated", POLICY) == []


def test_other_rules_are_compared_with_the_record(record):
    higher = Policy((Rule("Super", "critical", 65),), background_layers=0)
    with record.reading() as session:
        found = replay_recorded(session, "B1", "recoated", higher)
    assert [(one.layer, one.before, one.after) for one in found] == [
        (2, "critical", "ok"),
        (2, "minor", "critical"),  # the late one
    ]


def test_thresholds_come_from_recorded_builds(record):
    rules = Policy((Rule("Super", "critical"),), background_layers=0)
    with record.reading() as session:
        found = calibrate_recorded(session, ["B2"], "recoated", rules, 0)
    assert found.policy.rules[0].least_area_px == 21
    assert found.layers == 3


def test_a_build_that_is_not_there_is_named_with_those_that_are(record):
    with record.reading() as session, pytest.raises(RecordError, match=r"no build 'B3'.*B1, B2"):
        recorded_layers(session, "B3", "recoated")
