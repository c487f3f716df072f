"""Rules as a TOML file of their own: what calibrate writes and replay reads."""

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_policy(path: str | Path) -> Policy:
    """Read rules from a TOML file.

    Raises:
        ConfigError: The file cannot be read, or a key or value in it is wrong.

    Example:
        >>> text = write_policy("rules.toml", Policy((Rule("Super", "critical", 40.0),)))
        >>> read_policy("rules.toml").rules[0].least_area_px
        40.0
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        table = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
    try:
        return TypeAdapter(Policy).validate_python(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the rules"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigError(f"{path}: {key}: {first['msg']}{more}: correct it") from error


def write_policy(path: str | Path, policy: Policy, comment: str = "") -> str:
    """Write rules to a TOML file, whole or not at all.

    Args:
        path: The file.
        policy: The rules.
        comment: Put above them, each line with a ``#``.

    Returns:
        What was written.
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += _entries(policy)
    for rule in policy.rules:
        lines += ["", "[[rules]]", *_entries(rule)]
    text = "\n".join(lines) + "\n"
    write_atomically(path, text.encode("utf-8"))
    return text


def _entries(settings: Policy | Rule) -> list[str]:
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    values.pop("rules", None)
    # TOML has no null: what is left out is None.
    return [f"{name} = {_toml(value)}" for name, value in values.items() if value is not None]


def _toml(value: Any) -> str:
    # A string or number in JSON is one in TOML, but for the character DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
