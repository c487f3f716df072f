"""Passwords and tokens: the config names environment variables that hold them."""

from __future__ import annotations

import os

from lwam_mm.utils.errors import ConfigError


def secret(variable: str | None, key: str) -> str | None:
    """Return the value of an environment variable; None without a name.

    Args:
        variable: Its name.
        key: Key of the config that names it.

    Raises:
        ConfigError: There is no such variable, or its value has a line break.
    """
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        raise ConfigError(
            f"{key}: the environment variable {variable} is not set: set it, or correct its name"
        )
    if any(character < " " for character in value):
        # Often read from a file whose last line has an end. A header would not take it, and who
        # types it in never gives it.
        raise ConfigError(
            f"{key}: the environment variable {variable} has a line break or another control "
            "character: set it without"
        )
    return value
