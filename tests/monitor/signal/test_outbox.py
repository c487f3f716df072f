"""Messages are written with what they tell, or not at all."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from lwam_mm.monitor.record.store import Record, now
from lwam_mm.monitor.record.tables import Alarm, Outbox
from lwam_mm.monitor.signal.acknowledge import acknowledge
from lwam_mm.monitor.signal.outbox import KEPT, OutboxWriter, due, forget_old


@pytest.fixture
def record(tmp_path, database_url):
    opened = Record(tmp_path / "record", database_url)
    yield opened
    opened.close()


def messages(record, channel="mqtt"):
    with record.reading() as session:
        return [row.payload for row in due(session, channel)]


def test_each_channel_has_the_events_that_it_wants(record, add_layer):
    outbox = OutboxWriter({"mqtt": ("layer", "alarm", "acknowledged"), "webhook": ("alarm",)})
    add_layer(record, 1, outbox=outbox)
    (number,) = add_layer(record, 2, alarm=True, outbox=outbox)
    found = messages(record)
    assert [message["event"] for message in found] == ["layer", "layer", "alarm"]
    assert [message["event"] for message in messages(record, "webhook")] == ["alarm"]
    first, second, alarm = found
    assert (first["build"], first["layer"], first["verdict"]) == ("B1", 1, "ok")
    assert (first["alarms"], first["stop_requested"]) == ([], False)
    assert second["stop_requested"]
    assert second["alarms"] == [
        {"id": number, "kind": "defect", "severity": "critical", "class": "Super", "track": None,
         "message": "Super in layer 2"}
    ]  # fmt: skip
    assert alarm["alarm"] == second["alarms"][0]
    assert (alarm["layer"], alarm["stop_requested"]) == (2, True)


def test_an_acknowledgement_is_told_once_and_ends_the_request(record, add_layer):
    outbox = OutboxWriter({"mqtt": ("acknowledged",)})
    add_layer(record, 1, alarm=True, outbox=outbox)
    for by in ("Ada", "Bob"):
        with record.writing() as session:
            acknowledge(session, session.scalars(select(Alarm)).all(), by, outbox)
    (message,) = messages(record)
    assert (message["event"], message["by"], message["stop_requested"]) == (
        *("acknowledged", "Ada"), False
    )  # fmt: skip
    with record.reading() as session:
        assert session.scalars(select(Alarm)).one().acknowledged_by == "Ada"


def test_a_transaction_that_fails_leaves_no_message(record, add_layer):
    outbox = OutboxWriter({"mqtt": ("layer",)})
    add_layer(record, 1, outbox=outbox)
    with pytest.raises(Exception, match=r"(?i)unique"):
        add_layer(record, 1, outbox=outbox)  # the same layer once more
    assert [message["layer"] for message in messages(record)] == [1]


def test_only_old_messages_that_were_sent_are_forgotten(record, add_layer):
    outbox = OutboxWriter({"mqtt": ("layer",)})
    for number in (1, 2, 3):
        add_layer(record, number, outbox=outbox)
    with record.writing() as session:
        first, second, _ = due(session, "mqtt")
        first.sent_at = now() - KEPT - timedelta(hours=1)
        second.sent_at = now()
        forget_old(session, "mqtt")
    with record.reading() as session:
        assert [
            row.payload["layer"] for row in session.scalars(select(Outbox).order_by(Outbox.id))
        ] == [2, 3]
