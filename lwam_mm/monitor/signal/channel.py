"""What a way to send messages has to do."""

from __future__ import annotations

from typing import Protocol

from lwam_mm.monitor.signal.messages import Message


class NotSentError(Exception):
    """A message did not arrive; it is tried again."""


class RefusedError(Exception):
    """The receiver refuses this message, and would again: it is kept as failed."""


class Channel(Protocol):
    """Sends messages; used by one thread."""

    def send(self, message: Message) -> None:
        """Send a message; return when the receiver has it.

        Raises:
            NotSentError: It may not have arrived.
            RefusedError: The receiver refuses it.
        """

    def close(self) -> None:
        """End the connection."""
