"""Sends what the outbox holds, at least once and in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from lwam_mm.monitor.record.store import Record, now
from lwam_mm.monitor.record.tables import Outbox
from lwam_mm.monitor.signal.channel import Channel, NotSentError, RefusedError
from lwam_mm.monitor.signal.messages import Message
from lwam_mm.monitor.signal.outbox import due, forget_old

LONGEST_WAIT_S = 60.0
_LOOK_S = 0.5  # how often the outbox is looked at


class Sender:
    """One channel's thread.

    A message is marked as sent after its receiver has it. If the process dies in between, the
    message is sent again: receivers tell messages apart by ``id``.

    Args:
        record: The record with the outbox.
        name: The channel's name in the outbox.
        channel: Sends.
        say: Gets a line when sending begins to fail, and when it works again.
    """

    def __init__(
        self,
        record: Record,
        name: str,
        channel: Channel,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._record, self._name, self._channel, self._say = record, name, channel, say
        self._state: Message | None = None
        self._failures = 0
        self._waits_until = 0.0
        self._wake, self._stop = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"signal-{name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the outbox now."""
        self._wake.set()

    def tell_state(self, message: Message) -> None:
        """Send a message that needs no record: the latest is sent, earlier ones are dropped."""
        with self._lock:
            self._state = message
        self.wake()

    def close(self, patience_s: float = 0.0) -> bool:
        """Stop the thread, after what waits is sent or the time is over.

        Returns:
            Whether nothing waits any more. What waits is sent after the next start.
        """
        end = time.monotonic() + patience_s
        if not self._thread.is_alive():  # it was never started: the monitor could not begin
            self._channel.close()
            return self._is_idle()
        while not self._is_idle() and time.monotonic() < end:
            self.wake()
            time.sleep(0.05)
        idle = self._is_idle()
        self._stop.set()
        self.wake()
        self._thread.join()
        self._channel.close()
        return idle

    def _is_idle(self) -> bool:
        try:
            with self._record.reading() as session:
                return self._state is None and not due(session, self._name, limit=1)
        except DBAPIError:
            return False

    def _run(self) -> None:
        while not self._stop.is_set():
            if time.monotonic() >= self._waits_until:
                try:
                    self._send_state()
                    self._send_due()
                except NotSentError as error:
                    self._failed(str(error))
                except DBAPIError as error:
                    self._failed(f"the record cannot be read or written: {error.orig}")
                except Exception as error:  # of any kind: a channel never falls silent for good
                    self._failed(f"{type(error).__name__}: {error}")
                else:
                    if self._failures:
                        self._say(f"{self._name}: messages arrive again")
                    self._failures = 0
            self._wake.wait(_LOOK_S)
            self._wake.clear()

    def _send_state(self) -> None:
        message = self._state
        if message is None:
            return
        try:
            self._channel.send(message)
        except RefusedError as error:
            self._say(f"{self._name}: {error}")
        with self._lock:
            if self._state is message:
                self._state = None

    def _send_due(self) -> None:
        with self._record.reading() as session:
            rows = due(session, self._name)
        for row in rows:
            if self._stop.is_set():
                return
            try:
                self._channel.send({"id": row.id, **row.payload})
            except RefusedError as error:
                self._mark(row, refused=str(error))
                self._say(f"{self._name}: message {row.id} is given up: {error}")
            except NotSentError as error:
                self._mark(row, failed=str(error))
                raise
            else:
                self._mark(row)

    def _mark(self, row: Outbox, failed: str | None = None, refused: str | None = None) -> None:
        with self._record.writing() as session:
            kept = session.get_one(Outbox, row.id)
            kept.attempts += 1
            kept.last_error = failed or refused
            if refused is not None:
                kept.failed_at = now()
            elif failed is None:
                kept.sent_at = now()
                forget_old(session, self._name)

    def _failed(self, reason: str) -> None:
        if not self._failures:
            self._say(f"{self._name}: messages wait: {reason}")
        self._failures += 1
        # By the monotonic clock: a clock that is set does not change the wait.
        wait = min(LONGEST_WAIT_S, 0.5 * 2 ** min(self._failures - 1, 10))
        self._waits_until = time.monotonic() + wait
