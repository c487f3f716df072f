"""The examples in docstrings run and give what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import lwam_mm

PACKAGE = Path(lwam_mm.__file__).parent
MODULES = [
    path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name.removesuffix(".__init__"))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    found = doctest.testmod(module, optionflags=flags)
    assert found.failed == 0
    assert found.attempted > 0, "every example is skipped, or none is in a docstring"


def test_functions_that_users_call_have_examples():
    assert "lwam_mm.datasets.synthetic.generate" in MODULES
    assert "lwam_mm.datasets.synthetic.build" in MODULES
