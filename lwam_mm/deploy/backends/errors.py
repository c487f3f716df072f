"""Errors of an inference engine, and whether it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from lwam_mm.utils.errors import UserError


class BackendError(UserError, RuntimeError):
    """An engine is not installed, or cannot convert, read or run a model."""


def is_installed(*packages: str) -> bool:
    """Whether all of these packages can be imported."""
    return all(importlib.util.find_spec(package) is not None for package in packages)


def require(*packages: str) -> None:
    """Make sure that packages are installed.

    Raises:
        BackendError: One of them is not; says how to install it.
    """
    missing = [package for package in packages if not is_installed(package)]
    if missing:
        raise BackendError(
            f"{' and '.join(missing)}: not installed; run pip install {' '.join(missing)}"
        )


def check_outputs(file: str, wanted: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """Return the names of the outputs to compute: those wanted, or all of a model's.

    Raises:
        BackendError: The model has no such output.
    """
    if unknown := sorted(set(wanted or []) - set(known)):
        raise BackendError(
            f"{file}: has no output {', '.join(unknown)}, only {', '.join(known)}; correct "
            "onnx_config.output_names in the deploy config"
        )
    return list(wanted or known)


def first_line(error: Exception) -> str:
    """Return the line of an engine's error that says what is wrong.

    OpenVINO begins with the places in its own source files, one on each line.
    """
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return (told or lines or [type(error).__name__])[0]
