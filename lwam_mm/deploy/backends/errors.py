"""Errors of an inference engine, and whether it is installed."""

from __future__ import annotations

import importlib.util

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


def first_line(error: Exception) -> str:
    """Return the line of an engine's error that says what is wrong.

    OpenVINO begins with the places in its own source files, one on each line.
    """
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return (told or lines or [type(error).__name__])[0]
