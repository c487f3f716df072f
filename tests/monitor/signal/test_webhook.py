"""The webhook posts to a real web server."""

import contextlib
import socket
import threading
import time

import pytest

from lwam_mm.monitor.signal.channel import NotSentError, RefusedError
from lwam_mm.monitor.signal.settings import WebhookSettings
from lwam_mm.monitor.signal.webhook import Webhook
from lwam_mm.utils.errors import ConfigError

MESSAGE = {"event": "alarm", "message": "größer als 4 mm²"}


def test_a_message_is_posted_as_json_with_its_token(web, monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    Webhook(WebhookSettings(url=web.url, token_variable="TOKEN")).send(MESSAGE)
    ((headers, body),) = web.posts
    assert body == MESSAGE
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_tried_again(web, status):
    web.status = status
    with pytest.raises(NotSentError, match=f"answers {status}"):
        Webhook(WebhookSettings(url=web.url)).send(MESSAGE)


@pytest.mark.parametrize("status", [400, 404])
def test_a_refusal_is_final(web, status):
    web.status = status
    with pytest.raises(RefusedError, match=f"answers {status}"):
        Webhook(WebhookSettings(url=web.url)).send(MESSAGE)


def test_the_token_follows_no_redirect(web):
    web.status, web.location = 302, web.url.replace("/hook", "/elsewhere")
    with pytest.raises(RefusedError, match="answers 302"):
        Webhook(WebhookSettings(url=web.url)).send(MESSAGE)
    assert len(web.posts) == 1


def test_a_server_that_is_away_is_tried_again(web):
    web.stop()
    with pytest.raises(NotSentError, match="cannot be reached"):
        Webhook(WebhookSettings(url=web.url)).send(MESSAGE)


def test_a_secret_that_is_not_set_is_named():
    with pytest.raises(
        ConfigError, match=r"signal\.webhook\.token_variable: .* NO_SUCH_TOKEN is not"
    ):
        Webhook(WebhookSettings(url="https://example.org", token_variable="NO_SUCH_TOKEN"))


@pytest.mark.parametrize("value", ["secret\n", "sec\r\nX-Other: 1", "a\tb"])
def test_a_secret_with_a_line_break_is_refused_and_not_told(monkeypatch, value):
    monkeypatch.setenv("TOKEN", value)
    with pytest.raises(ConfigError, match="TOKEN has a line break") as caught:
        Webhook(WebhookSettings(url="https://example.org", token_variable="TOKEN"))
    assert value[:3] not in str(caught.value)


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 2"])
def test_an_answer_that_drips_in_for_ever_is_broken_off(begin):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(begin)
                for _ in range(100):
                    connection.sendall(b"0")
                    time.sleep(0.1)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        begun = time.monotonic()
        with pytest.raises(NotSentError, match=r"answer in 0\.5 s"):
            Webhook(WebhookSettings(url=url, timeout_s=0.5)).send(MESSAGE)
        assert time.monotonic() - begun < 5
        thread.join()
