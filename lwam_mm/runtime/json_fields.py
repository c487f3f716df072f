"""Reads typed fields from parsed JSON; errors name the file, the field, the value and a remedy."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any, NoReturn, TypeGuard, TypeVar

from lwam_mm.runtime.errors import BundleError

Value = TypeVar("Value")


class Fields:
    """The fields of one JSON object; every method reads one, ``finish`` refuses those never read.

    A value that is missing or wrong raises a ``BundleError`` with the file's name, ``source``, and
    the field's, which begins with ``prefix``.
    """

    def __init__(self, data: object, source: str | Path, prefix: str = "") -> None:
        self._source = source
        self._prefix = prefix
        if not isinstance(data, dict):
            what = f"field {prefix[:-1]!r}" if prefix else "the whole"
            raise BundleError(
                f"{source}: {what} is {_short(data)}, not an object. Export the bundle again"
            )
        self._data: dict[str, Any] = data
        self._read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a field of this name; one that may be missing is asked first."""
        return name in self._data

    def fail(self, name: str, remedy: str) -> NoReturn:
        """Raise the BundleError for a field that is present but wrong."""
        value = _short(self._data[name])
        raise BundleError(f"{self._source}: field {self._prefix + name!r} is {value}: {remedy}")

    def finish(self) -> None:
        """Refuse fields that were never read: a misspelt one would otherwise be ignored."""
        unknown = sorted(set(self._data) - self._read)
        if unknown:
            raise BundleError(
                f"{self._source}: unknown field {self._prefix + unknown[0]!r}: correct its name or "
                f"remove it; known here are {sorted(self._read)}"
            )

    def text(self, name: str) -> str:
        """Return a string that is not empty."""
        text: str = self._checked(name, _is_text, "give a string that is not empty")
        return text

    def optional(self, name: str, read: Callable[[str], Value]) -> Value | None:
        """Return what ``read``, a method of this object, makes of the field; None for null."""
        return None if self._value(name) is None else read(name)

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """Return a string that is one of ``allowed``."""
        remedy = f"give one of {list(allowed)}"
        chosen: str = self._checked(name, lambda value: value in allowed, remedy)
        return chosen

    def integer(self, name: str, minimum: int) -> int:
        """Return a whole number of at least ``minimum``."""
        remedy = f"give a whole number of at least {minimum}"
        number: int = self._checked(name, lambda v: _is_int(v) and v >= minimum, remedy)
        return number

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings, none of them empty."""
        remedy = "give a list of strings that are not empty"
        return tuple(self._checked(name, lambda v: _is_list_of(v, None, _is_text), remedy))

    def triple(self, name: str) -> tuple[float, float, float]:
        """Return three finite numbers."""
        remedy = "give three finite numbers, one per channel in RGB order"
        value = self._checked(name, lambda v: _is_list_of(v, 3, _is_finite), remedy)
        red, green, blue = map(float, value)
        return red, green, blue

    def size(self, name: str) -> tuple[int, int]:
        """Return (height, width), both positive."""
        remedy = "give [height, width] in pixels, or null for any size"
        height, width = self._checked(
            name, lambda v: _is_list_of(v, 2, lambda side: _is_int(side) and side > 0), remedy
        )
        return height, width

    def palette(self, name: str) -> tuple[tuple[int, int, int], ...]:
        """Return a list of (R, G, B), each 0..255."""
        remedy = "give a list of [R, G, B] with whole numbers of 0..255"
        value = self._checked(name, lambda v: _is_list_of(v, None, _is_color), remedy)
        return tuple((red, green, blue) for red, green, blue in value)

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object of any content."""
        value: dict[str, Any] = self._checked(name, lambda v: isinstance(v, dict), "give an object")
        return value

    def checksums(self, name: str) -> dict[str, str]:
        """Return an object that maps plain file names to SHA-256 in lower-case hex."""
        files = self.section(name)
        for file, digest in files._data.items():
            if not is_plain_name(file):
                files.fail(file, "give a plain file name inside the bundle, without a folder")
            if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
                files.fail(file, "give a SHA-256 as 64 lower-case hex digits")
        return files._data

    def section(self, name: str) -> "Fields":
        """Return the fields of an object inside this one."""
        return Fields(self._value(name), self._source, f"{self._prefix}{name}.")

    def _value(self, name: str) -> Any:
        if name not in self._data:
            raise BundleError(
                f"{self._source}: field {self._prefix + name!r} is missing: export the bundle "
                "again, or add the field"
            )
        self._read.add(name)
        return self._data[name]

    def _checked(self, name: str, is_good: Callable[[Any], bool], remedy: str) -> Any:
        value = self._value(name)
        if not is_good(value):
            self.fail(name, remedy)
        return value


def is_plain_name(name: str) -> bool:
    """Tell whether ``name`` is a bare file name that stays in its folder.

    Bundles are copied between machines, so Windows' rules, the stricter ones, apply everywhere.
    """
    plain = name not in (".", "..") and "\0" not in name and PureWindowsPath(name).name == name
    return plain and _is_text(name)


def _is_text(value: object) -> TypeGuard[str]:
    # JSON can spell half of a surrogate pair, which no file can hold.
    return isinstance(value, str) and value != "" and not re.search("[\ud800-\udfff]", value)


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    try:
        return (_is_int(value) or isinstance(value, float)) and math.isfinite(value)
    except OverflowError:  # an integer beyond the range of float
        return False


def _is_color(value: object) -> bool:
    return _is_list_of(value, 3, lambda v: _is_int(v) and 0 <= v <= 255)


def _is_list_of(value: object, length: int | None, is_good: Callable[[Any], bool]) -> bool:
    """Tell whether it is a list of good values, of this length unless it is None."""
    if not isinstance(value, list) or length not in (None, len(value)):
        return False
    return all(map(is_good, value))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
