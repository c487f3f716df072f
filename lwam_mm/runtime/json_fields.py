"""Reads typed fields out of parsed JSON, with errors that name file, field, value and remedy."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any, NoReturn, TypeVar

from lwam_mm.runtime.errors import BundleError

Value = TypeVar("Value")


class Fields:
    """The fields of one JSON object; each is taken once, and `finish` refuses what is left over.

    Args:
        data: The parsed JSON value; anything but an object is refused.
        source: The file's name, for messages.
        prefix: Name of the enclosing section with its dot, for messages.

    Raises:
        BundleError: `data` is no object; and from every method, the field is missing or wrong.
    """

    def __init__(self, data: object, source: str | Path, prefix: str = "") -> None:
        self._source = source
        self._prefix = prefix
        if not isinstance(data, dict):
            what = f"field {prefix[:-1]!r}" if prefix else "the whole"
            raise BundleError(
                f"{source}: {what} is {_short(data)}, not an object. Export the bundle again"
            )
        self._data = data
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a field of this name; one that may be missing is asked first."""
        return name in self._data

    def fail(self, name: str, remedy: str) -> NoReturn:
        """Raise the BundleError for a field that is there but wrong."""
        value = _short(self._data[name])
        raise BundleError(f"{self._source}: field {self._prefix + name!r} is {value}: {remedy}")

    def finish(self) -> None:
        """Refuse fields that nobody asked for: a misspelt one would otherwise be silently lost."""
        unknown = sorted(set(self._data) - self._taken)
        if unknown:
            raise BundleError(
                f"{self._source}: unknown field {self._prefix + unknown[0]!r}: correct its name or "
                f"remove it; known here are {sorted(self._taken)}"
            )

    def text(self, name: str) -> str:
        """Return a string that is not empty."""
        value = self._take(name)
        if not isinstance(value, str) or not value:
            self.fail(name, "give a string that is not empty")
        return value

    def optional(self, name: str, read: Callable[[str], Value]) -> Value | None:
        """Return what `read`, a method of this object, makes of the field, or None for null."""
        return None if self._take(name) is None else read(name)

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """Return a string that is one of `allowed`."""
        value = self._take(name)
        if value not in allowed:
            self.fail(name, f"give one of {list(allowed)}")
        return value

    def integer(self, name: str, minimum: int) -> int:
        """Return a whole number of at least `minimum`."""
        value = self._take(name)
        if not _is_int(value) or value < minimum:
            self.fail(name, f"give a whole number of at least {minimum}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings, none of them empty."""
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.fail(name, "give a list of strings that are not empty")
        return tuple(value)

    def triple(self, name: str) -> tuple[float, float, float]:
        """Return three finite numbers."""
        value = self._take(name)
        if not _is_list_of(value, 3, _is_finite):
            self.fail(name, "give three finite numbers, one a channel in RGB order")
        return tuple(float(v) for v in value)

    def size(self, name: str) -> tuple[int, int] | None:
        """Return (height, width), both positive, or None."""
        value = self._take(name)
        if value is None:
            return None
        if not _is_list_of(value, 2, lambda v: _is_int(v) and v > 0):
            self.fail(name, "give [height, width] in pixels, or null for any size")
        return tuple(value)

    def palette(self, name: str) -> tuple[tuple[int, int, int], ...]:
        """Return a list of (R, G, B), each 0..255."""
        value = self._take(name)
        if not isinstance(value, list) or not all(
            _is_list_of(color, 3, lambda v: _is_int(v) and 0 <= v <= 255) for color in value
        ):
            self.fail(name, "give a list of [R, G, B] with whole numbers of 0..255")
        return tuple(tuple(color) for color in value)

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object of any content."""
        value = self._take(name)
        if not isinstance(value, dict):
            self.fail(name, "give an object")
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
        return Fields(self._take(name), self._source, f"{self._prefix}{name}.")

    def _take(self, name: str) -> Any:
        if name not in self._data:
            raise BundleError(
                f"{self._source}: field {self._prefix + name!r} is missing: export the bundle "
                "again, or add the field"
            )
        self._taken.add(name)
        return self._data[name]


def is_plain_name(name: str) -> bool:
    """Tell whether `name` is a bare file name that stays in its folder.

    A bundle travels between machines, so Windows' rules, the stricter ones, hold everywhere.
    """
    return name not in ("", ".", "..") and "\0" not in name and PureWindowsPath(name).name == name


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


def _is_list_of(value: object, length: int, good: Any) -> bool:
    return isinstance(value, list) and len(value) == length and all(good(v) for v in value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
