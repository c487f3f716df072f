"""Passwords and tokens: the config names environment variables that hold them."""

from __future__ import annotations

import os

from lwam_mm.utils.errors import ConfigError


def secret(variable: str | None) -> str | None:
    """Return the value of an environment variable; None without a name.

    Raises:
        ConfigError: There is no such variable.
    """
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        raise ConfigError(
            f"the environment variable {variable}, which the config names, is not set: set it"
        )
    return value
