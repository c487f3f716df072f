"""A watched folder with a tiny bundle: the largest of red, green and blue wins."""

from __future__ import annotations

import threading

import pytest

from lwam_mm.monitor.config.config import read_config
from lwam_mm.monitor.loop import Monitor
from lwam_mm.monitor.record.store import Record
from lwam_mm.runtime import Predictor


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
