"""The record on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone

import cv2
import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from lwam_mm.monitor.record.store import Record, RecordError, add_document, build_named, now
from lwam_mm.monitor.record.tables import Base, Build, Document, Layer


@pytest.fixture
def record(tmp_path, database_url):
    record = Record(tmp_path / "record", database_url)
    yield record
    record.close()


def layer(build: Build, **changes) -> Layer:
    values = dict(build_id=build.id, number=1, step="recoated", state="inspected", verdict="ok")
    return Layer(**{**values, "recorded_at": now(), **changes})


def test_the_migrations_make_the_tables(record):
    with record.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert found == []


def test_a_disk_that_was_read_only_for_a_time_is_written_again(tmp_path):
    record = Record(tmp_path / "record")
    with record.reading() as session:
        session.execute(text("PRAGMA query_only=ON"))  # as SQLite opens it on such a disk
    with pytest.raises(OperationalError, match="readonly"), record.writing() as session:
        build_named(session, "B1")
    with record.writing() as session:
        build_named(session, "B1")
    record.close()


def test_readers_never_keep_the_monitor_waiting(record):
    with contextlib.ExitStack() as readers:
        for _ in range(40):
            readers.enter_context(record.reading()).connection()
        with record.writing() as session:
            build_named(session, "B1")


def test_what_was_written_is_there_after_opening_again(tmp_path, database_url):
    when = datetime(2026, 5, 4, 12, 0, 0, 123456, timezone(timedelta(hours=2)))
    first = Record(tmp_path / "record", database_url)
    with first.writing() as session:
        session.add(
            layer(build_named(session, "B1"), file_time=when, health={"blur": 0.5, "note": "µ"})
        )
    first.close()

    again = Record(tmp_path / "record", database_url)
    with again.reading() as session:
        found = session.scalars(select(Layer)).one()
    again.close()
    assert found.file_time == when
    assert found.file_time.utcoffset() == timedelta(0)
    assert found.health == {"blur": 0.5, "note": "µ"}


def test_an_error_leaves_nothing_of_its_transaction(record):
    def fail(session):
        session.add(layer(build_named(session, "B1")))
        session.flush()
        raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError), record.writing() as session:
        fail(session)
    with record.reading() as session:
        assert session.scalars(select(Build)).all() == []


def test_a_layer_is_recorded_once(record):
    with record.writing() as session:
        build = build_named(session, "B1")
        session.add(layer(build))
    with pytest.raises(IntegrityError), record.writing() as session:
        session.add(layer(build))
    with record.writing() as session:
        session.add(layer(build, revision=1))
        session.add(layer(build, step="exposed"))


@pytest.mark.parametrize(
    "changes",
    [
        dict(verdict="fine"),
        dict(step="melted"),
        dict(state="lost"),
        dict(state="missing", verdict="ok"),
        dict(state="not_inspected", verdict="ok"),
        dict(build_id=99),
    ],
)
def test_the_database_refuses_what_has_no_meaning(record, changes):
    with record.writing() as session:
        build = build_named(session, "B1")
    with pytest.raises(IntegrityError), record.writing() as session:
        session.add(layer(build, **changes))


def test_a_document_is_kept_once(record):
    with record.writing() as session:
        digest = add_document(session, "config", "a = 1")
    with record.writing() as session:
        assert add_document(session, "config", "a = 1") == digest
        assert session.scalars(select(Document.text)).all() == ["a = 1"]


def test_writers_wait_for_each_other(record):
    with record.writing() as session:
        build_named(session, "count")
        session.add(layer(build_named(session, "count")))

    def raise_revision():
        for _ in range(20):
            with record.writing() as session:
                session.execute(text("UPDATE layer SET revision = revision + 1"))

    threads = [threading.Thread(target=raise_revision) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with record.reading() as session:
        assert session.scalars(select(Layer.revision)).one() == 80


def test_several_processes_may_open_a_new_record(tmp_path, database_url):
    code = (
        "import sys; from lwam_mm.monitor.record.store import Record\n"
        "Record(sys.argv[1], sys.argv[2] or None)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "record"), database_url or ""]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors


def test_a_record_of_a_newer_version_is_refused(tmp_path, database_url):
    record = Record(tmp_path / "record", database_url)
    with record.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    record.close()
    with pytest.raises(RecordError, match=r"9999.*update lwam_mm"):
        Record(tmp_path / "record", database_url)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "record.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(RecordError, match=r"record\.sqlite.*not a database"):
        Record(tmp_path)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("secret", "no URL"),
        ("mysql://me:secret@host/name", "SQLite or PostgreSQL"),
        ("postgresql://me:secret@127.0.0.1:1/name", "cannot be opened"),
    ],
)
def test_a_wrong_address_is_named_without_its_password(tmp_path, url, found):
    with pytest.raises(RecordError, match=found) as raised:
        Record(tmp_path, url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["sqlite:///\0", f"postgresql://{'a' * 300}/name"])
def test_an_address_that_cannot_be_is_named(tmp_path, url):
    with pytest.raises(RecordError, match=r"cannot be opened .*check the address"):
        Record(tmp_path, url)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"record.folder: .*file.record cannot be made"):
        Record(tmp_path / "file" / "record")


def test_a_mask_is_written_beside_the_database(record):
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    path = record.save_mask("../../B 1", "000001_recoated_0", labels)
    assert (record.folder / path).resolve().is_relative_to(record.folder.resolve())
    assert np.array_equal(cv2.imread(str(record.folder / path), cv2.IMREAD_UNCHANGED), labels)
