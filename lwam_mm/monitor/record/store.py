"""Opens the record, and the transactions that read and write it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from lwam_mm.monitor.record.tables import Build, Document
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError

MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 7_521_404_318  # any number; PostgreSQL's advisory locks are told apart by it


class RecordError(UserError, ValueError):
    """The record cannot be opened."""


class Record:
    """The database and, beside it, the folder of masks.

    Args:
        folder: The record's folder; it is created.
        url: SQLAlchemy's URL of the database; None takes ``record.sqlite`` in the folder.

    Attributes:
        folder: The record's folder.
        engine: SQLAlchemy's engine.

    Raises:
        RecordError: The folder cannot be made, the URL is wrong, the database cannot be reached, or
            a newer version wrote it.

    Example:
        >>> record = Record("record")
        >>> with record.writing() as session:
        ...     build_named(session, "B1").name
        'B1'
    """

    def __init__(self, folder: str | Path, url: str | None = None) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError(
                f"record.folder: {self.folder} cannot be made ({error.strerror}): give another"
            ) from error
        self.engine = _create_engine(
            url or URL.create("sqlite", database=str(self.folder / "record.sqlite"))
        )
        key = "record.folder" if url is None else "record.database"
        self._name = self.engine.url.render_as_string(hide_password=True)
        try:
            with self.engine.execution_options(writes=True).begin() as connection:
                _migrate(connection)
        except CommandError as error:
            raise RecordError(
                f"{key}: {self._name}: {error}: a newer version wrote this record, update lwam_mm"
            ) from error
        except (DBAPIError, ValueError) as error:  # ValueError: no file or host has such a name
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise RecordError(
                f"{key}: {self._name} cannot be opened ({reason}): check the address, the rights "
                "and that it is a database of the monitor"
            ) from error

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open one transaction: all that is done in it is recorded, or after an error nothing."""
        engine = self.engine.execution_options(writes=True)
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that sees one state of the record."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    def save_mask(self, build: str, name: str, labels: np.ndarray) -> str:
        """Write a mask as PNG, whole or not at all.

        Args:
            build: Name of the build.
            name: Name of the file, without suffix.
            labels: uint8 of shape (H, W) or (H, W, 4).

        Returns:
            The path relative to the record's folder.

        Raises:
            OSError: The disk is full or the folder cannot be written.
        """
        path = mask_path(build, name)
        done, png = cv2.imencode(".png", labels)
        if not done:
            raise RecordError(f"{path}: a mask of shape {labels.shape} cannot be written as PNG")
        write_atomically(self.folder / path, png.tobytes(), durable=True)
        return path.as_posix()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def mask_path(build: str, name: str) -> Path:
    """Return where a mask of a build lies below the record's folder.

    The hash of the build's name is the folder's, as any text may be a name.
    """
    return Path("masks") / sha256_of(build)[:16] / f"{name}.png"


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(timezone.utc)


def sha256_of(content: str | bytes) -> str:
    """Return the SHA-256 of a text (as UTF-8) or of bytes, in hexadecimal."""
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def build_named(session: Session, name: str) -> Build:
    """Return the build of that name; the first time it is created."""
    build = session.scalar(select(Build).where(Build.name == name))
    if build is None:
        build = Build(name=name, created_at=now())
        session.add(build)
        session.flush()
    return build


def find_build(session: Session, name: str) -> Build:
    """Return a build that was recorded.

    Raises:
        RecordError: There is none of that name; names the latest that there are.
    """
    build = session.scalar(select(Build).where(Build.name == name))
    if build is None:
        latest = session.scalars(select(Build.name).order_by(Build.id.desc()).limit(10)).all()
        there = ", ".join(latest[::-1]) or "none so far"
        raise RecordError(f"the record has no build {name!r}: name one of {there}")
    return build


def add_document(session: Session, kind: str, content: str) -> str:
    """Record a text unless it is there already.

    Returns:
        Its SHA-256.
    """
    digest = sha256_of(content)
    if session.get(Document, digest) is None:
        session.add(Document(sha256=digest, kind=kind, text=content, created_at=now()))
        session.flush()
    return digest


def _create_engine(url: str | URL) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # The text is not repeated: it may hold a password.
        raise RecordError(
            "record.database: the address is no URL: give one such as postgresql://user@host/name"
        ) from error
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise RecordError(
            f"record.database: {parsed.render_as_string()}: the record is kept in SQLite or "
            "PostgreSQL: give sqlite:///FILE or postgresql://user@host/name"
        )
    try:
        # As many connections as threads want: with a limit, requests for the page could keep the
        # monitor's loop waiting until it fails.
        engine = create_engine(parsed, pool_pre_ping=True, max_overflow=-1)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise RecordError(f"record.database: {parsed.render_as_string()}: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", _forget_read_only)
    return engine


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin in _begin_sqlite
    for pragma in (
        "busy_timeout=30000",
        "journal_mode=WAL",  # readers do not wait for the writer
        "synchronous=FULL",  # a power cut loses no recorded layer
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _forget_read_only(context: ExceptionContext) -> None:
    # A connection that was opened while the disk was read-only stays so for good.
    if "readonly database" in str(context.original_exception):
        context.is_disconnect = True


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later could not wait for another writer.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's lock is BEGIN IMMEDIATE
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, "head")
