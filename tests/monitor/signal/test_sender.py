"""Messages arrive at least once and in order, whatever goes away meanwhile."""

import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import select

from lwam_mm.monitor.record.store import Record
from lwam_mm.monitor.record.tables import Outbox
from lwam_mm.monitor.signal.messages import state_message
from lwam_mm.monitor.signal.outbox import OutboxWriter, due
from lwam_mm.monitor.signal.sender import Sender
from lwam_mm.monitor.signal.settings import WebhookSettings
from lwam_mm.monitor.signal.webhook import Webhook

OUTBOX = OutboxWriter({"webhook": ("layer",)})


@pytest.fixture
def start(record, web):
    started = []

    def make(record=record):
        said = []
        sender = Sender(record, "webhook", Webhook(WebhookSettings(url=web.url)), said.append)
        sender.said = said
        sender.start()
        started.append(sender)
        return sender

    yield make
    for sender in started:
        sender.close()


def layers(web):
    return [body["layer"] for _, body in web.posts if body["event"] == "layer"]


def test_everything_arrives_in_order_after_the_receiver_was_away(
    record, web, add_layer, start, wait_for
):
    sender = start()
    add_layer(record, 1, outbox=OUTBOX)
    wait_for(lambda: layers(web) == [1])
    web.stop()
    for number in (2, 3, 4):
        add_layer(record, number, outbox=OUTBOX)
    wait_for(lambda: sender.said)
    assert "messages wait" in sender.said[0]
    web.start()
    wait_for(lambda: layers(web) == [1, 2, 3, 4])
    wait_for(lambda: sender.said[-1] == "webhook: messages arrive again")
    assert len(sender.said) == 2  # each of both is said once
    assert sender.close(5)
    with record.reading() as session:
        assert not due(session, "webhook")
        assert all(row.sent_at for row in session.scalars(select(Outbox)))


def test_what_is_refused_is_kept_and_blocks_nothing(record, web, add_layer, start, wait_for):
    web.status = 400
    add_layer(record, 1, outbox=OUTBOX)
    sender = start()
    wait_for(lambda: sender.said)
    web.status = 204
    add_layer(record, 2, outbox=OUTBOX)
    wait_for(lambda: layers(web) == [1, 2])
    assert sender.close(5)
    with record.reading() as session:
        first, second = session.scalars(select(Outbox).order_by(Outbox.id))
    assert first.failed_at is not None
    assert "answers 400" in first.last_error
    assert second.failed_at is None


def test_the_state_needs_no_database(web, tmp_path, new_postgres, start, wait_for):
    import psycopg
    from sqlalchemy.engine import make_url

    url = new_postgres()
    record = Record(tmp_path / "other", url)
    sender = start(record)
    name = make_url(url).database
    with psycopg.connect(
        make_url(url).set(database="postgres").render_as_string(False), autocommit=True
    ) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname='{name}'"
        )
        sender.tell_state(state_message("the record is away"))
        wait_for(lambda: web.posts)
        assert web.posts[0][1]["trouble"] == "the record is away"
        wait_for(lambda: sender.said)
        assert "record cannot be read" in sender.said[0]
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    wait_for(lambda: sender.said[-1] == "webhook: messages arrive again")
    record.close()


KILLED = """
import sys, time
from lwam_mm.monitor.record.store import Record
from lwam_mm.monitor.signal.sender import Sender
from lwam_mm.monitor.signal.settings import WebhookSettings
from lwam_mm.monitor.signal.webhook import Webhook

class Slow(Webhook):
    def send(self, message):
        super().send(message)
        print(message["layer"], flush=True)
        time.sleep(60)  # killed here: the receiver has it, the outbox does not know

Sender(Record(sys.argv[1]), "webhook", Slow(WebhookSettings(url=sys.argv[2]))).start()
time.sleep(60)
"""


def test_a_message_that_was_sent_but_not_marked_is_sent_again(
    record, web, add_layer, start, wait_for
):
    for number in (1, 2):
        add_layer(record, number, outbox=OUTBOX)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(record.folder), web.url],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "1\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    start()
    wait_for(lambda: layers(web) == [1, 1, 2])
    assert web.posts[0][1]["id"] == web.posts[1][1]["id"]  # so that the receiver can tell


def test_an_error_of_any_kind_is_said_and_tried_again(record, web, add_layer, wait_for):
    class Odd(Webhook):
        tries = 0

        def send(self, message):
            self.tries += 1
            if self.tries == 1:
                raise ValueError("what nobody thought of")
            super().send(message)

    said = []
    sender = Sender(record, "webhook", Odd(WebhookSettings(url=web.url)), said.append)
    add_layer(record, 1, outbox=OUTBOX)
    sender.start()
    wait_for(lambda: layers(web) == [1])
    assert "ValueError: what nobody thought of" in said[0]
    assert sender.close(5)


def test_closing_waits_for_no_longer_than_its_patience(record, web, add_layer, start):
    web.stop()
    add_layer(record, 1, outbox=OUTBOX)
    sender = start()
    begun = time.monotonic()
    assert not sender.close(0.3)
    assert time.monotonic() - begun < 15  # the attempt at hand is let end
