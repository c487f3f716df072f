"""Runs a function of a test file in a process that did not import it the way pytest does."""

from __future__ import annotations

import importlib.util
from typing import Any


def call_from_file(path: str, name: str, args: tuple[Any, ...]) -> Any:
    """Import the test file by its path and call one of its functions.

    pytest's importlib mode gives test files module names that no other process can import.
    """
    spec = importlib.util.spec_from_file_location("test_file_of_the_parent", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)(*args)
