"""Docstrings, where ruff has no rule: the entries of a section begin with a capital letter."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = [path for folder in ("lwam_mm", "tools") for path in sorted((ROOT / folder).rglob("*.py"))]

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n((?: .*\n|\n)+)", re.MULTILINE)
_NAMED = re.compile(r"^ {4}\*{0,2}[\w.*, ]+: +(.*)", re.MULTILINE)
_SMALL = re.compile(r"(?!u?int\d|float\d|bool\b|ncnn\b)[a-z]")  # these are names


def docstrings(path: Path) -> list[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    described = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return [ast.get_docstring(node) or "" for node in nodes if isinstance(node, described)]


def small_entries(docstring: str) -> list[str]:
    found = []
    for section, body in _SECTION.findall(inspect.cleandoc(docstring) + "\n"):
        texts = [body.strip()] if section in ("Returns", "Yields") else _NAMED.findall(body)
        found += [text.partition("\n")[0] for text in texts if _SMALL.match(text)]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_entries_begin_with_a_capital_letter(path):
    assert [entry for text in docstrings(path) for entry in small_entries(text)] == []


def test_small_entries_are_found():
    text = """Do it.

    Args:
        x: the input.
        y: Output,
            continued.
        **more: float32 (N,).

    Returns:
        the sum,
        continued.
    """
    assert small_entries(text) == ["the input.", "the sum,"]
