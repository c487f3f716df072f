from __future__ import annotations

import pytest

from lwam_mm.deploy.backends.errors import BackendError, check_outputs, first_line, require


def test_only_what_is_missing_is_to_be_installed():
    require("numpy")
    with pytest.raises(BackendError, match=r"^no_such: not installed; run pip install no_such$"):
        require("numpy", "no_such")


def test_outputs_are_those_wanted_or_all():
    assert check_outputs("a.xml", ["labels"], ["logits", "labels"]) == ["labels"]
    assert check_outputs("a.xml", None, ["logits", "labels"]) == ["logits", "labels"]
    with pytest.raises(BackendError, match=r"^a\.xml: has no output mask, only logits; correct"):
        check_outputs("a.xml", ["logits", "mask"], ["logits"])


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "Exception from src/core.cpp:92:\nCheck 'ok' failed\n  no such file\nmore",
            "no such file",
        ),
        ("Exception from src/core.cpp:92:\n", "Exception from src/core.cpp:92:"),
        ("", "RuntimeError"),
    ],
)
def test_of_an_engines_error_the_line_that_says_what_is_wrong(message, told):
    assert first_line(RuntimeError(message)) == told
