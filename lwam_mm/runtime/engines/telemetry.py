"""Imports Intel's packages without the telemetry that comes with them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TELEMETRY = "openvino_telemetry"


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Keep what is imported inside from finding Intel's telemetry package.

    OpenVINO, on being imported, and NNCF report to Google Analytics wherever that package is
    installed, unless the user has said no before, and write an identity into the user's home. A
    machine beside a printer tells nobody. Both packages treat ``openvino_telemetry`` as optional
    and fall back to a stub if importing it fails, as it does where ``sys.modules`` says None. What
    was imported before stays as it is.
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
