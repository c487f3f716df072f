"""Setting and removing values of a config by dotted keys."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from lwam_mm.lab.studies.study import StudyError


def override(
    config: Config, remove: Sequence[str], overrides: Mapping[str, Any], where: str
) -> None:
    """Change a config in place: first remove, then set.

    Unlike mmengine's merging, a value takes the place of what is there whole.

    Args:
        config: what to change.
        remove: dotted keys; a whole number is an index into a list.
        overrides: dotted keys to values. The last part of a key may be new in a dict.
        where: what to call the source of the keys in an error.

    Raises:
        StudyError: a key leads nowhere.
    """
    for key in remove:
        holder, last = _holder(config, key, where)
        if not _has(holder, last):
            raise StudyError(f"{where}: remove {key!r}: {_choice(holder, last)}")
        del holder[last]
    for key, value in overrides.items():
        holder, last = _holder(config, key, where)
        if isinstance(holder, list) and not _has(holder, last):
            raise StudyError(f"{where}: override {key!r}: {_choice(holder, last)}")
        holder[last] = copy.deepcopy(value)


def _holder(config: Config, key: str, where: str) -> tuple[Any, str | int]:
    node: Any = config
    *path, last = key.split(".")
    for part in path:
        part = _part(node, part)
        if not _has(node, part):
            raise StudyError(f"{where}: {key!r}: {_choice(node, part)}")
        node = node[part]
    if not isinstance(node, list | dict | Config):
        raise StudyError(f"{where}: {key!r}: {'.'.join(path)} is {node!r}, which holds nothing")
    return node, _part(node, last)


def _part(node: Any, part: str) -> str | int:
    return int(part) if isinstance(node, list) and part.isdigit() else part


def _has(node: Any, part: str | int) -> bool:
    if isinstance(node, list):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, dict | Config) and part in node


def _choice(node: Any, part: str | int) -> str:
    if isinstance(node, list):
        return f"there is no {part!r}; it is a list of {len(node)}"
    known = list(node.keys()) if isinstance(node, dict | Config) else repr(node)
    return f"there is no {part!r}; there is {known}"
