"""The soak tool on a few small layers, with the page in a real browser if there is one."""

import re
import subprocess
import sys

import pytest
from tiny_bundle import tiny_manifest, write_tiny_bundle

from lwam_mm.monitor.report.browser import BrowserError, find_browser
from lwam_mm.runtime import InputSpec


@pytest.mark.end_to_end
def test_figures_are_printed_and_written(repository, tmp_path):
    spec = InputSpec("image", None, (0, 0, 0), (1, 1, 1), resize="pad")
    bundle = write_tiny_bundle(tmp_path, manifest=tiny_manifest(input=spec))
    arguments = [bundle, "--layers", "6", "--size", "64", "--work-dir", "soak", "--out", "soak.md"]
    done = subprocess.run(
        [sys.executable, repository / "tools" / "benchmark_monitor.py", *map(str, arguments)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^1 layers, [0-9]+ MB\n6 layers, ", done.stdout)
    text = (tmp_path / "soak.md").read_text()
    assert text.strip() in done.stdout
    assert re.search(r"layers +\| +6 \|", text)
    try:
        find_browser()
    except BrowserError:
        assert "there is no browser" in text
    else:
        assert re.search(
            r"charts after [0-9]+\.[0-9]{2} s, the 3-D map after [0-9]+\.[0-9]{2} s", text
        )
