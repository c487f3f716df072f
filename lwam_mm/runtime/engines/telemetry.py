"""Imports Intel's packages without the telemetry that comes with them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TELEMETRY = "openvino_telemetry"


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Hide Intel's telemetry package from what is imported inside the ``with`` block.

    Where that package is installed, OpenVINO and NNCF report to Google Analytics when they are
    imported, unless the user has opted out before, and write an identifier into the user's home.
    A machine beside a printer must not. Both treat ``openvino_telemetry`` as optional and fall
    back to a stub if importing it fails, which None in ``sys.modules`` causes. Packages that were
    imported before are not affected.
    """
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # makes the import fail
    try:
        yield
    finally:
        if before is None:
            del sys.modules[_TELEMETRY]
        else:
            sys.modules[_TELEMETRY] = before
