"""Posts messages to a web address."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from lwam_mm.monitor.config.secret import secret
from lwam_mm.monitor.signal.channel import NotSentError, RefusedError
from lwam_mm.monitor.signal.messages import Message
from lwam_mm.monitor.signal.settings import WebhookSettings

_TRY_AGAIN = (408, 425, 429)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token elsewhere."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow none."""


class _Connections(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens connections that can be broken off: an answer may drip in for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._latest: http.client.HTTPConnection | None = None
        self.is_over = False

    def http_open(self, req: urllib.request.Request) -> Any:
        """Open a plain connection."""
        return self.do_open(self._new(http.client.HTTPConnection), req)

    def https_open(self, req: urllib.request.Request) -> Any:
        """Open an encrypted connection; certificates are checked."""
        return self.do_open(self._new(http.client.HTTPSConnection), req)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Break off what takes longer, and note so in ``is_over``."""
        self._latest, self.is_over = None, False
        timer = threading.Timer(seconds, self._break_off)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _new(self, kind: Callable[..., http.client.HTTPConnection]) -> Any:
        def make(*arguments: Any, **options: Any) -> http.client.HTTPConnection:
            self._latest = kind(*arguments, **options)
            return self._latest

        return make

    def _break_off(self) -> None:
        self.is_over = True
        connection = None if self._latest is None else self._latest.sock
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Webhook:
    """A channel that posts each message as JSON.

    Raises:
        ConfigError: The variable of the token is not set.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._headers = {"Content-Type": "application/json", "User-Agent": "lwam-monitor"}
        token = secret(settings.token_variable, "signal.webhook.token_variable")
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._connections = _Connections()
        self._opener = urllib.request.build_opener(_NoRedirects, self._connections)

    def send(self, message: Message) -> None:
        """Post a message; see `Channel`. Any answer of 2xx counts as received."""
        url, timeout = self._settings.url, self._settings.timeout_s
        request = urllib.request.Request(url, json.dumps(message).encode(), self._headers)
        try:
            with self._connections.within(timeout), self._opener.open(request, timeout=timeout):
                pass
        except urllib.error.HTTPError as error:
            answer = f"{url} answers {error.code} {error.reason}"
            if error.code >= 500 or error.code in _TRY_AGAIN:
                raise NotSentError(answer) from error
            raise RefusedError(answer) from error
        except (OSError, http.client.HTTPException) as error:
            reason = f"no answer in {timeout:g} s" if self._connections.is_over else error
            raise NotSentError(f"{url} cannot be reached: {reason}") from error
        if self._connections.is_over:  # what came until then may look like an answer
            raise NotSentError(f"{url} cannot be reached: no whole answer in {timeout:g} s")

    def close(self) -> None:
        """Do nothing: each message opens and closes its own connection."""
