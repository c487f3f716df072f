"""All channels of a config together."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from lwam_mm.monitor.record.store import Record
from lwam_mm.monitor.record.tables import Alarm, Layer
from lwam_mm.monitor.signal.channel import Channel, NotSentError, RefusedError
from lwam_mm.monitor.signal.messages import Message, alarm_message, layer_message, state_message
from lwam_mm.monitor.signal.outbox import OutboxWriter
from lwam_mm.monitor.signal.sender import Sender
from lwam_mm.monitor.signal.settings import SignalSection

_ALL = ("layer", "alarm", "acknowledged", "state")
_DEAD_S = 30.0  # a loop that is silent so long, beyond its poll and deadline, is no longer alive
_NO_CHANNEL = "the config has no [signal.webhook], [signal.mqtt] or [signal.modbus]"


def wanted_events(settings: SignalSection) -> dict[str, tuple[str, ...]]:
    """Return the events that each channel of the config sends, by its name."""
    found: dict[str, tuple[str, ...]] = {}
    if settings.webhook is not None:
        found["webhook"] = settings.webhook.events
    if settings.mqtt is not None:
        found["mqtt"] = _ALL
    return found


def make_channels(settings: SignalSection) -> dict[str, Channel]:
    """Make the channels that send, by name.

    Raises:
        ConfigError: A secret is not set, or a file cannot be read.
    """
    found: dict[str, Channel] = {}
    if settings.webhook is not None:
        from lwam_mm.monitor.signal.webhook import Webhook

        found["webhook"] = Webhook(settings.webhook)
    if settings.mqtt is not None:
        from lwam_mm.monitor.signal.mqtt import Mqtt

        found["mqtt"] = Mqtt(settings.mqtt)
    return found


class Signals:
    """Tells all channels what the monitor sees. Each channel has its own thread.

    Args:
        settings: The section of the config.
        record: The record with the outbox.
        say: Gets a line when a channel fails and when it works again.

    Attributes:
        outbox: Writes messages for the channels that send.

    Raises:
        ConfigError: A channel cannot be set up.
    """

    def __init__(self, settings: SignalSection, record: Record, say: Callable[[str], None]) -> None:
        self._events = wanted_events(settings)
        self.outbox = OutboxWriter(self._events)
        self._senders = {
            name: Sender(record, name, channel, say)
            for name, channel in make_channels(settings).items()
        }
        self._alive_until = time.monotonic() + _DEAD_S
        self._modbus = None
        if settings.modbus is not None:
            from lwam_mm.monitor.signal.modbus import ModbusServer

            self._modbus = ModbusServer(
                settings.modbus,
                record,
                self.outbox,
                is_alive=lambda: time.monotonic() < self._alive_until,
                say=say,
            )

    def start(self) -> None:
        """Begin to send and to listen, and say that the monitor is online."""
        if self._modbus is not None:
            self._modbus.start()
        for sender in self._senders.values():
            sender.start()
        self.trouble(None)

    def alive(self, next_within_s: float) -> None:
        """Note that the monitor's loop works, and when it will say so again at the latest."""
        self._alive_until = time.monotonic() + next_within_s + _DEAD_S

    def layer(self, session: Session, layer: Layer, raised: Sequence[Alarm]) -> None:
        """Write what is told about a layer, in its own transaction."""
        self.outbox.layer(session, layer, raised)

    def trouble(self, trouble: str | None) -> None:
        """Tell a trouble that begins, or by None that all is well again."""
        if self._modbus is not None:
            self._modbus.tell_trouble(trouble is not None)
        for name, sender in self._senders.items():
            if "state" in self._events[name]:
                sender.tell_state(state_message(trouble))

    def close(self, patience_s: float = 0.0) -> list[str]:
        """Stop all channels, after what waits is sent or the time is over.

        Returns:
            The channels for which messages still wait; they are sent after the next start.
        """
        end = time.monotonic() + patience_s
        waiting = [
            name
            for name, sender in self._senders.items()
            if not sender.close(max(0.0, end - time.monotonic()))
        ]
        if self._modbus is not None:
            self._modbus.close()
        return waiting


class DrySignals:
    """Prints what would be sent. Nothing is sent, listened on, or written to the outbox."""

    def __init__(self, settings: SignalSection, say: Callable[[str], None]) -> None:
        self.outbox = OutboxWriter({})
        self._events, self._say = wanted_events(settings), say
        self._modbus = settings.modbus
        if not self._events and self._modbus is None:
            say(f"dry run: {_NO_CHANNEL}")

    def layer(self, session: Session, layer: Layer, raised: Sequence[Alarm]) -> None:
        """Print what would be told about a layer."""
        self._print(layer_message(session, layer, raised))
        for alarm in raised:
            self._print(alarm_message(session, alarm))
        if self._modbus is not None:
            from lwam_mm.monitor.signal.registers import read_shown

            self._say(f"dry run: modbus would show {read_shown(session).registers(0)}")

    def trouble(self, trouble: str | None) -> None:
        """Print what would be told about the monitor itself."""
        self._print(state_message(trouble))

    def alive(self, next_within_s: float) -> None:
        """Do nothing: nobody listens."""

    def start(self) -> None:
        """Print that the monitor would be online."""
        self.trouble(None)

    def close(self, patience_s: float = 0.0) -> list[str]:
        """Do nothing: nothing waits."""
        return []

    def _print(self, message: Message) -> None:
        for name, events in self._events.items():
            if message["event"] in events:
                self._say(f"dry run: {name} would send {json.dumps(message, ensure_ascii=False)}")


def send_test(settings: SignalSection, say: Callable[[str], None]) -> bool:
    """Send a test message through each channel, and say what came of it.

    Returns:
        Whether all arrived.
    """
    message = {**state_message("this is a test of the signals"), "test": True}
    good = True
    for name, channel in make_channels(settings).items():
        try:
            channel.send(message)
            say(f"{name}: the message arrived")
        except (NotSentError, RefusedError) as error:
            good = False
            say(f"{name}: {error}")
        except Exception as error:  # such as an address that cannot be
            good = False
            say(f"{name}: {type(error).__name__}: {error}: correct signal.{name}")
        finally:
            channel.close()
    if settings.modbus is not None:
        say("modbus: nothing is sent; the PLC reads while `run` runs")
    elif not wanted_events(settings):
        say(_NO_CHANNEL)
    return good
