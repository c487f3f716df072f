"""Killed at any moment, the monitor goes on, and the record is that of an undisturbed run."""

from __future__ import annotations

import random
import subprocess
import sys
import time

from drawn_layers import write_layer
from sqlalchemy import inspect, select

from lwam_mm.monitor.record.store import Record
from lwam_mm.monitor.record.tables import Base

TIMES = {"created_at", "recorded_at", "complete_at", "raised_at", "at"}
VARYING = TIMES | {"inference_ms", "total_ms", "path"}
LAYERS = 120


def contents(folder):
    """Return all rows without the times that differ from run to run, and the masks' bytes."""
    record = Record(folder)
    found = {}
    with record.reading() as session:
        for mapper in Base.registry.mappers:
            table = mapper.class_
            names = [column.key for column in mapper.columns if column.key not in VARYING]
            found[table.__tablename__] = [
                [getattr(row, name) for name in names]
                for row in session.scalars(select(table).order_by(*inspect(table).primary_key))
            ]
    record.close()
    masks = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}
    return found, masks


def test_sigkill_at_twenty_random_moments(place, repository):
    for number in range(1, LAYERS + 1):
        defect = number % 13 in (5, 6, 7)
        if number % 31:  # some layers are missing
            write_layer(place / "watched" / f"B_{number}.png", number, defect)
    (place / "watched" / "B_7_again.png").write_bytes((place / "watched" / "B_7.png").read_bytes())
    (place / "watched" / "B_50_cut.png").write_bytes(b"\x89PNG")
    command = [sys.executable, str(repository / "tools" / "monitor.py"), "run", "--once"]
    config = place / "monitor.toml"

    whole = place / "undisturbed.toml"
    whole.write_text(config.read_text() + '[record]\nfolder = "undisturbed"\n')
    config.write_text(config.read_text() + '[record]\nfolder = "killed"\n')
    started = time.monotonic()
    assert subprocess.run([*command, str(whole)], capture_output=True).returncode in (0, 3)
    took = time.monotonic() - started

    chance = random.Random(5)
    kills = 0
    while kills < 20:
        process = subprocess.Popen([*command, str(config)], stdout=subprocess.PIPE, text=True)
        # A share of the lines of a run, then a little more: within a layer's transaction.
        lines = chance.randint(0, 5)
        for _ in range(lines):
            if not process.stdout.readline():
                break
        time.sleep(chance.random() * took / LAYERS)
        if process.poll() is None:
            process.kill()
            kills += 1
        else:
            break
        process.wait()
        process.stdout.close()
    assert kills == 20
    assert subprocess.run([*command, str(config)], capture_output=True).returncode in (0, 3)

    rows, masks = contents(place / "killed")
    expected_rows, expected_masks = contents(place / "undisturbed")
    for table, expected in expected_rows.items():
        if table == "document":
            continue  # the two configs differ
        if table == "layer":
            expected = [_without_config(row) for row in expected]
            rows[table] = [_without_config(row) for row in rows[table]]
        assert rows[table] == expected, table
    assert masks == expected_masks
    assert len(expected_rows["layer"]) == LAYERS


def _without_config(row):
    return [value for value in row if not (isinstance(value, str) and len(value) == 64)]
