"""Prints a page as PDF by a browser that is there."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from lwam_mm.utils.errors import UserError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_LONGEST_S = 300


class BrowserError(UserError):
    """There is no browser, or it did not print."""


def find_browser() -> str:
    """Return the path of a browser.

    Raises:
        BrowserError: There is none.
    """
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise BrowserError(
        f"a PDF is printed by a browser, and there is none of {', '.join(BROWSERS)}: install one, "
        "or write the report as .html and print it elsewhere"
    )


def print_pdf(page: bytes) -> bytes:
    """Print a page that needs nothing else.

    Args:
        page: HTML in UTF-8.

    Returns:
        The PDF.

    Raises:
        BrowserError: There is no browser, or it fails.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_bytes(page)
        command = [
            browser,
            "--headless",
            "--no-sandbox",  # the page is ours; as root there is no other way
            "--disable-extensions",
            "--use-gl=swiftshader",
            "--enable-unsafe-swiftshader",  # the 3-D map without a graphics card
            f"--user-data-dir={folder}/profile",
            "--no-pdf-header-footer",
            "--virtual-time-budget=20000",  # until the charts are drawn
            f"--print-to-pdf={out}",
            source.as_uri(),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_LONGEST_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BrowserError(f"{browser} does not print: {error}") from error
        if not out.is_file():
            told = done.stderr.strip().splitlines()
            raise BrowserError(f"{browser} did not print: {told[-1] if told else done.returncode}")
        return out.read_bytes()
