"""What a figure is worth nothing without: the machine, its software, the command and the day."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import sys
import time
from pathlib import Path

from lwam_mm.version import __version__

_PACKAGES = ("torch", "mmsegmentation", "mmdeploy", "onnxruntime", "openvino", "nncf", "ncnn")
_TELLING = (
    "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16",
    "amx_int8", "asimd", "asimddp", "i8mm", "bf16",
)  # fmt: skip


def describe(threads: int) -> dict[str, str]:
    """Describe the run as pairs of what and its value, in the order to show them."""
    return {
        "processor": cpu_model(),
        "instruction sets": ", ".join(instruction_sets()) or "unknown",
        "processors to run on": str(_usable_cpus()),
        "load average at the start": _load(),
        "threads": str(threads),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "command": shlex.join(["python", "tools/benchmark.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


def cpu_model(cpuinfo: str | None = None) -> str:
    """Return the processor's name.

    Args:
        cpuinfo: the text of Linux's ``/proc/cpuinfo``; this machine's if None.
    """
    return _field("model name", cpuinfo) or platform.processor() or platform.machine()


def instruction_sets(cpuinfo: str | None = None) -> list[str]:
    """Return those of the processor's instruction sets that matter to inference.

    Args:
        cpuinfo: as for :func:`cpu_model`.
    """
    flags = (_field("flags", cpuinfo) or _field("Features", cpuinfo) or "").split()
    return [name for name in _TELLING if name in flags]


def versions() -> dict[str, str]:
    """Return the versions of what takes part; a package that is not installed is left out."""
    found = {"lwam_mm": __version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _field(name: str, cpuinfo: str | None) -> str | None:
    if cpuinfo is None:
        path = Path("/proc/cpuinfo")
        cpuinfo = path.read_text() if path.is_file() else ""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
