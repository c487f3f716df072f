"""Publishes messages by MQTT."""

from __future__ import annotations

import json
import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from lwam_mm.monitor.config.secret import secret
from lwam_mm.monitor.signal.channel import NotSentError
from lwam_mm.monitor.signal.messages import Message
from lwam_mm.monitor.signal.settings import MqttSettings
from lwam_mm.utils.errors import ConfigError

RETAINED = ("layer", "state")
"""Events whose last message the broker keeps for those who come later. An alarm is none: to someone
who comes later it would look new."""


class Mqtt:
    """A channel that publishes each message with QoS 1 under ``TOPIC/EVENT``.

    ``TOPIC/state`` says that the monitor is online. If the connection breaks, the broker says there
    that it is offline.

    Raises:
        ConfigError: A variable is not set, or the file of certificates cannot be read.
    """

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._connected = threading.Event()
        self._refusal: str | None = None
        self._state: Message | None = None
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=settings.client_id, clean_session=True
        )
        if settings.user is not None:
            password = secret(settings.password_variable, "signal.mqtt.password_variable")
            client.username_pw_set(settings.user, password)
        if settings.tls:
            try:
                client.tls_set(None if settings.ca_file is None else str(settings.ca_file))
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"signal.mqtt.ca_file = {settings.ca_file} cannot be read: {error}: give a "
                    "file of certificates in PEM"
                ) from error
        offline = {"event": "state", "status": "offline", "trouble": "the monitor is gone"}
        client.will_set(self._topic("state"), json.dumps(offline), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.reconnect_delay_set(1, 30)
        self._client, self._started = client, False

    def send(self, message: Message) -> None:
        """Publish a message; see `Channel`. It returns after the broker's acknowledgement."""
        where, timeout = f"{self._settings.host}:{self._settings.port}", self._settings.timeout_s
        if not self._started:
            # Reconnects by itself from now on, whether or not the broker is there.
            self._client.connect_async(self._settings.host, self._settings.port, keepalive=15)
            self._client.loop_start()
            self._started = True
        if not self._connected.wait(timeout):
            reason = self._refusal or "no connection"
            raise NotSentError(f"the MQTT broker {where} cannot be reached: {reason}")
        event = message["event"]
        if event == "state":
            self._state = message
        info = self._publish(message)
        try:
            info.wait_for_publish(timeout)
            published = info.is_published()
        except (RuntimeError, ValueError) as error:  # the connection broke, or the queue is full
            raise NotSentError(
                f"the MQTT broker {where} did not get the message: {error}"
            ) from error
        if not published:
            raise NotSentError(f"the MQTT broker {where} did not acknowledge the message")

    def close(self) -> None:
        """Say that the monitor is offline, and end the connection."""
        if self._connected.is_set():
            info = self._publish({"event": "state", "status": "offline", "trouble": None})
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(self._settings.timeout_s)
        self._client.disconnect()
        if self._started:
            self._client.loop_stop()

    def _publish(self, message: Message) -> paho.MQTTMessageInfo:
        event = message["event"]
        return self._client.publish(
            self._topic(event), json.dumps(message), qos=1, retain=event in RETAINED
        )

    def _topic(self, event: str) -> str:
        return f"{self._settings.topic}/{event}"

    def _on_connect(self, _: Any, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        else:
            self._refusal = None
            if self._state is not None:  # the broker may have said meanwhile that we are offline
                self._publish(self._state)
            self._connected.set()

    def _on_disconnect(self, _: Any, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        self._connected.clear()
