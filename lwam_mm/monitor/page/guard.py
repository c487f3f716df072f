"""Keeps other sites, and people without the token, away from the page."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lwam_mm.monitor.page.settings import is_loopback

COOKIE = "lwam_token"
_OPEN = ("/login", "/static/login.js", "/static/page.css")
_HEADERS = {
    # Styles inline: plotly sets them. Nothing is loaded from anywhere else, whatever is shown.
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "frame-ancestors 'none'; form-action 'self'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Middleware: checks each request before the page sees it.

    - Without a token only names of this machine are served, so that no other site can reach the
      page by a name that it lets point here.
    - With a token, everything except the login form needs it: as a cookie, or as
      ``Authorization: Bearer``.
    - What changes something has to come from the page itself, as JSON.

    Args:
        app: The page.
        token: The token; None if the page serves this machine alone.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token
        self._cookie = cookie_of((token or "").encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in _HEADERS.items()),
                ]
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._token is None and not is_loopback(_hostname(host)):
            return PlainTextResponse(f"{host} is no name of this machine: use localhost", 421)
        if scope["method"] not in ("GET", "HEAD"):
            if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return PlainTextResponse("another site may change nothing here", 403)
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc != host:
                return PlainTextResponse("another site may change nothing here", 403)
            if not headers.get("content-type", "").startswith("application/json"):
                return PlainTextResponse("send JSON (Content-Type: application/json)", 415)
        if self._token is None or scope["path"] in _OPEN or self._knows_token(headers):
            return None
        if "text/html" in headers.get("accept", ""):
            return RedirectResponse("/login", 303)
        return PlainTextResponse("give the token: open /login in a browser", 401)

    def _knows_token(self, headers: Headers) -> bool:
        given = [
            cookie_of(headers.get("authorization", "").removeprefix("Bearer ").encode("latin-1"))
        ]
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                given.append(value)
        # In constant time: a wrong token tells nothing of the right one.
        return any(hmac.compare_digest(each.encode(), self._cookie.encode()) for each in given)


def cookie_of(token: bytes) -> str:
    """Return what the browser keeps of a token."""
    return hashlib.sha256(token).hexdigest()


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
