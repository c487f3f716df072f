"""MQTT with a real broker: retained messages, the last will, and a broker that comes back."""

import json
import os
import signal
import subprocess
import sys
import threading

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from lwam_mm.monitor.signal.channel import NotSentError
from lwam_mm.monitor.signal.mqtt import Mqtt
from lwam_mm.monitor.signal.settings import MqttSettings

KILLED = """
import sys, time
from lwam_mm.monitor.signal.mqtt import Mqtt
from lwam_mm.monitor.signal.settings import MqttSettings
Mqtt(MqttSettings(host="127.0.0.1", port=int(sys.argv[1]))).send(
    {"event": "state", "status": "online", "trouble": None})
print("sent", flush=True)
time.sleep(60)
"""


class Subscriber:
    """Another client; it keeps what it hears as (topic, message, retained)."""

    def __init__(self, port):
        self.heard, self._ready = [], threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _, __, message: self.heard.append(
            (message.topic, json.loads(message.payload), message.retain)
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(20)

    def of(self, topic):
        return [(message, retained) for name, message, retained in self.heard if name == topic]

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def subscribe(broker):
    opened = []

    def make():
        opened.append(Subscriber(broker.port))
        return opened[-1]

    yield make
    for subscriber in opened:
        subscriber.close()


def fails(channel):
    try:
        channel.send({"event": "layer", "layer": 1})
    except NotSentError:
        return True
    return False


def settings(broker, **more):
    return MqttSettings(host="127.0.0.1", port=broker.port, topic="lwam/p1", **more)


def test_layers_are_retained_and_alarms_are_not(broker, subscribe, wait_for):
    channel = Mqtt(settings(broker))
    for number in (1, 2):
        channel.send({"event": "layer", "layer": number})
    channel.send({"event": "alarm", "layer": 2})
    late = subscribe()
    wait_for(lambda: late.of("lwam/p1/layer"))
    assert late.of("lwam/p1/layer") == [({"event": "layer", "layer": 2}, True)]
    channel.send({"event": "alarm", "layer": 3})
    wait_for(lambda: late.of("lwam/p1/alarm"))
    assert late.of("lwam/p1/alarm") == [({"event": "alarm", "layer": 3}, False)]
    channel.close()
    wait_for(lambda: late.of("lwam/p1/state"))
    assert late.of("lwam/p1/state")[-1][0]["status"] == "offline"


def test_the_broker_tells_that_a_killed_monitor_is_gone(broker, subscribe, wait_for):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(broker.port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "sent\n"
    watcher = subscribe()
    wait_for(lambda: watcher.of("lwam/state"))
    assert watcher.of("lwam/state")[-1][0]["status"] == "online"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: watcher.of("lwam/state")[-1][0]["status"] == "offline")
    assert watcher.of("lwam/state")[-1][0]["trouble"] == "the monitor is gone"
    late = subscribe()
    wait_for(lambda: late.of("lwam/state"))
    assert late.of("lwam/state")[0][0]["status"] == "offline"  # it is retained


@pytest.mark.parametrize("code", ["MQTT_ERR_NO_CONN", "MQTT_ERR_QUEUE_SIZE"])
def test_what_the_client_cannot_take_is_not_sent(broker, monkeypatch, code):
    """The connection may break between the look at it and the message."""
    channel = Mqtt(settings(broker))
    channel.send({"event": "layer", "layer": 1})
    refused = paho.MQTTMessageInfo(2)
    refused.rc = MQTTErrorCode[code]
    monkeypatch.setattr(channel._client, "publish", lambda *args, **kwargs: refused)
    with pytest.raises(NotSentError, match="did not get the message"):
        channel.send({"event": "layer", "layer": 2})
    channel.close()


def test_a_broker_that_comes_back_hears_the_state_again(broker, subscribe, wait_for):
    channel = Mqtt(settings(broker, timeout_s=0.3))
    channel.send({"event": "state", "status": "online", "trouble": None})
    broker.stop()
    wait_for(lambda: fails(channel))  # the broken connection is noticed
    broker.start()  # with nothing retained
    watcher = subscribe()
    wait_for(lambda: watcher.of("lwam/p1/state"))
    assert watcher.of("lwam/p1/state")[-1][0]["status"] == "online"
    channel.close()


def test_a_broker_that_is_away_is_named(broker):
    broker.stop()
    channel = Mqtt(settings(broker, timeout_s=0.2))
    with pytest.raises(NotSentError, match=f"127.0.0.1:{broker.port} cannot be reached"):
        channel.send({"event": "layer"})
    channel.close()
