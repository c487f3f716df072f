"""NNCF without its telemetry and its log messages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from lwam_mm.runtime.engines.telemetry import no_telemetry


def import_nncf() -> ModuleType:
    """Import NNCF so that it sends nothing and writes nothing into the user's home."""
    with no_telemetry():
        import nncf

    return nncf


@contextmanager
def quiet_nncf() -> Iterator[None]:
    """Show NNCF's errors only: no progress bars, no log of each step."""
    import rich

    logger, console = logging.getLogger("nncf"), rich.get_console()
    before = logger.level, console.quiet
    logger.setLevel(logging.ERROR)
    console.quiet = True
    try:
        yield
    finally:
        logger.setLevel(before[0])
        console.quiet = before[1]
