"""The webhook posts to a real web server."""

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
