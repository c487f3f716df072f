"""NNCF without the telemetry and the chatter that it comes with."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_TELEMETRY = "openvino_telemetry"


@contextmanager
def no_intel_telemetry() -> Iterator[None]:
    """Keep what is imported inside from finding Intel's telemetry package.

    NNCF and OpenVINO's converter report to Google Analytics wherever that package is installed,
    unless the user has said no before. NNCF's environment variables for its own builds
    (``NNCF_CI``) come too late: the client that they replace has by then written an identity into
    the user's home. Both packages treat ``openvino_telemetry`` as optional, though, and fall back
    to a stub if importing it fails, as it does where ``sys.modules`` says None. What was imported
    before stays as it is.
    """
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None
    try:
        yield
    finally:
        if before is None:
            del sys.modules[_TELEMETRY]
        else:
            sys.modules[_TELEMETRY] = before


def import_nncf() -> ModuleType:
    """Import NNCF such that it sends nothing and writes nothing into the user's home."""
    with no_intel_telemetry():
        import nncf

    return nncf


@contextmanager
def quiet_nncf() -> Iterator[None]:
    """Let through NNCF's errors only: no progress bars, no log of each step."""
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
