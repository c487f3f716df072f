from __future__ import annotations

import pytest

from lwam_mm.lab.benchmark.reason import reason


def test_the_words_of_an_error_in_one_line():
    assert reason(ValueError("one\n  two")) == "ValueError: one two"


def test_an_error_without_words_says_where():
    def fail() -> None:
        raise AssertionError

    with pytest.raises(AssertionError) as caught:
        fail()
    assert reason(caught.value) == "AssertionError: in test_reason.py: raise AssertionError"


def test_a_long_story_is_cut():
    text = reason(RuntimeError("x" * 5000))
    assert len(text) < 400
    assert text.endswith("...")
