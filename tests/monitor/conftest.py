"""A watched folder with a tiny bundle, a recorded build, and the page in a real browser."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from free_port import free_port
from recorded_build import record_layer

from lwam_mm.monitor.config.config import read_config
from lwam_mm.monitor.loop import Monitor
from lwam_mm.monitor.page.server import PageServer
from lwam_mm.monitor.page.settings import PageSettings
from lwam_mm.monitor.record.store import Record
from lwam_mm.monitor.signal.outbox import OutboxWriter
from lwam_mm.runtime import Predictor

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


@pytest.fixture
def new_monitor(place):
    """Return a function that opens the record and makes a monitor, as a new start would."""
    opened = []

    def make(database=None, text="", **options):
        config_file = place / "monitor.toml"
        if text:
            config_file.write_text(text)
        config, text = read_config(config_file)
        record = Record(config.record.folder, database)
        opened.append(record)
        monitor = Monitor(config, text, Predictor(place / "bundle", threads=1), record, **options)
        monitor.record = record
        return monitor

    yield make
    for record in opened:
        record.close()


@pytest.fixture
def wait_for():
    """Return a function that waits until something is true, and fails if it never is."""

    def wait(condition, seconds=20.0):
        pause = threading.Event()
        for _ in range(int(seconds / 0.05)):
            if condition():
                return
            pause.wait(0.05)
        raise AssertionError("it did not happen")

    return wait


@pytest.fixture
def record(tmp_path):
    opened = Record(tmp_path / "record")
    yield opened
    opened.close()


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.fixture
def build(record, images):
    """A build of six layers: the third is critical, the fifth missing, the sixth not inspected."""
    kinds = {3: dict(verdict="critical"), 5: dict(verdict="not_inspected", state="missing")}
    kinds[6] = dict(verdict="not_inspected", state="not_inspected")
    return [
        record_layer(record, number, images=images, **kinds.get(number, {}))
        for number in range(1, 7)
    ]


@pytest.fixture
def serve(record):
    """Return a function that serves the page and returns its server."""
    with contextlib.ExitStack() as stack:

        def start(trouble=lambda: None, **settings):
            server = PageServer(
                PageSettings(port=free_port(), **settings),
                record,
                OutboxWriter({"mqtt": ("acknowledged",)}),
                trouble,
            )
            stack.callback(server.close)
            server.start()
            return server

        yield start


@pytest.fixture(scope="session")
def chromium():
    """A real browser; `.ci/run` installs it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((path for path in CHROMIUM if Path(path).is_file()), None)
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    sync_api.expect.set_options(timeout=30_000)  # on a busy machine the page takes long
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--use-gl=swiftshader", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, serve):
    """A tab that fails the test if the page logs an error or asks another host for something.

    It is closed before the server is.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    errors, hosts = [], set()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if message.type == "error" else None,
    )
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or "data"))
    page.errors = errors
    page.requests_may_fail = False
    page.set_default_timeout(30_000)
    yield page
    context.close()
    if page.requests_may_fail:
        errors = [error for error in errors if "Failed to load resource" not in error]
    assert errors == []
    assert hosts <= {"127.0.0.1", "data"}
