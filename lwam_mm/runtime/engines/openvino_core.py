"""The one OpenVINO core of a process."""

from __future__ import annotations

import functools
from typing import Any

from lwam_mm.runtime.engines.telemetry import no_telemetry


@functools.cache
def openvino_core() -> Any:
    """Return the process's ``openvino.Core``, the same with each call and never taken down.

    On Linux each core's CPU plugin gives the thread a signal stack of its own and puts the one that
    it found back when it goes (OpenVINO 2026.4). Two cores that do not go in the opposite order of
    their coming leave the thread with one that is gone: the next signal with a handler, such as
    the end of a child where torch's ``DataLoader`` listens for it, then ends the process with a
    segmentation fault. A core that stays makes the first stack one that stays.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    with no_telemetry():
        import openvino
    return openvino.Core()
