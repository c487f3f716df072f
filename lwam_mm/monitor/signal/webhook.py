"""Posts messages to a web address."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import IO

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
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, message: Message) -> None:
        """Post a message; see `Channel`. Any answer of 2xx counts as received."""
        url = self._settings.url
        request = urllib.request.Request(url, json.dumps(message).encode(), self._headers)
        try:
            with self._opener.open(request, timeout=self._settings.timeout_s):
                pass
        except urllib.error.HTTPError as error:
            answer = f"{url} answers {error.code} {error.reason}"
            if error.code >= 500 or error.code in _TRY_AGAIN:
                raise NotSentError(answer) from error
            raise RefusedError(answer) from error
        except (OSError, http.client.HTTPException) as error:
            raise NotSentError(f"{url} cannot be reached: {error}") from error

    def close(self) -> None:
        """Do nothing: each message opens and closes its own connection."""
