"""Measures how long the monitor's page takes to show a record, in a real browser."""

from __future__ import annotations

import statistics

from lwam_mm.monitor.page.server import PageServer
from lwam_mm.monitor.page.settings import PageSettings
from lwam_mm.monitor.record.store import Record
from lwam_mm.monitor.report.browser import BrowserError, find_browser
from lwam_mm.monitor.signal.outbox import OutboxWriter

_PORT = 8461
_TIMES = 5


def page_seconds(record: Record) -> tuple[float, float] | None:
    """Open the page several times, the first not counted.

    Returns:
        Medians of the seconds from the request until strip, layer and charts are shown, and until
        the 3-D map is; None without a browser or Playwright.
    """
    try:
        from playwright.sync_api import sync_playwright

        path = find_browser()
    except (ImportError, BrowserError):
        return None
    server = PageServer(PageSettings(port=_PORT), record, OutboxWriter({}), lambda: None)
    server.start()
    times: dict[str, list[float]] = {"shown": [], "mapped": []}
    try:
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--use-gl=swiftshader", "--enable-unsafe-swiftshader"]
            browser = playwright.chromium.launch(executable_path=path, args=flags)
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            for _ in range(_TIMES + 1):
                page.goto(server.url)
                for name, seconds in times.items():
                    page.wait_for_selector(f"body[data-{name}]", timeout=60_000)
                    seconds.append(float(page.get_attribute("body", f"data-{name}") or 0) / 1000)
            browser.close()
    finally:
        server.close()
    shown, mapped = (statistics.median(seconds[1:]) for seconds in times.values())
    return shown, mapped
