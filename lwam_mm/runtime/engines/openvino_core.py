"""OpenVINO without its telemetry, and its only core of a process."""

import functools
from typing import Any

from lwam_mm.runtime.engines.telemetry import no_telemetry


def import_openvino() -> Any:
    """Import OpenVINO so that it sends nothing; by default it reports every import."""
    with no_telemetry():
        import openvino

    return openvino


@functools.cache
def openvino_core() -> Any:
    """Return the process's ``openvino.Core``, the same on each call and never destroyed.

    On Linux, each core's CPU plugin gives the thread a new signal stack, and restores the previous
    one when the core is destroyed (OpenVINO 2026.4). If two cores are not destroyed in the reverse
    order of their creation, the thread is left with a freed stack. The next signal that has a
    handler, such as SIGCHLD under torch's ``DataLoader``, then crashes the process with a
    segmentation fault. A core that is never destroyed keeps the first stack valid.
    """
    return import_openvino().Core()
