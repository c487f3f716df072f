"""Replace a function of an upstream package once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def replace(name: str, *owners: Any, by: Callable[..., Any]) -> bool:
    """Replace a function in all modules or classes that refer to it.

    Args:
        name: The name of the function.
        *owners: The modules or classes.
        by: The replacement. It gets the stock function before the arguments of the call.

    Returns:
        True if the function was replaced; False if it had been before.
    """
    stock = getattr(owners[0], name)
    if getattr(stock, "is_repaired", False):
        return False

    @functools.wraps(stock)
    def repaired(*args: Any, **kwargs: Any) -> Any:
        return by(stock, *args, **kwargs)

    repaired.is_repaired = True  # type: ignore[attr-defined]
    for owner in owners:
        is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
        setattr(owner, name, staticmethod(repaired) if is_static else repaired)
    return True
