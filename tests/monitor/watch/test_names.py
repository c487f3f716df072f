"""File names of real machines, and names that have no meaning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwam_mm.monitor.watch.names import LayerName, LayerNameError, NamePattern
from lwam_mm.utils.errors import ConfigError

HEIGHT = r"(?P<build>SI[0-9]+)_(?P<height>[0-9]+)[.]png"
NUMBER = r"(?P<build>SI[0-9]+)_(?P<layer>[0-9]+)_[0-9T.]+[.]png"
STEP = r"(?P<step>[AB])(?P<layer>[0-9]+)a[.]jpg"
STEPS = {"A": "recoated", "B": "exposed"}


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (
            NamePattern(HEIGHT, 30),
            "SI377320210706074338_012030.png",
            LayerName("SI377320210706074338", 401, 0, 12030.0),
        ),
        (
            NamePattern(NUMBER),
            "SI383820211201123521_00009_20211201T125928.564000.png",
            LayerName("SI383820211201123521", 9, 0),
        ),
        (NamePattern(STEP, steps=STEPS, build="job"), "A0002a.jpg", LayerName("job", 2, 0)),
        (NamePattern(STEP, steps=STEPS, build="job"), "B0001a.jpg", LayerName("job", 1, 1)),
        (NamePattern(r"(?P<build>[^/]+)/(?P<layer>.+)"), "B 1/7", LayerName("B 1", 7, 0)),
    ],
)
def test_real_names(pattern, name, expected):
    assert pattern.read(name) == expected


def test_layers_are_ordered_as_they_are_made():
    pattern = NamePattern(STEP, steps=STEPS)
    names = ["A0010a.jpg", "B0002a.jpg", "A0003a.jpg", "A0002a.jpg"]
    expected = ["A0002a.jpg", "B0002a.jpg", "A0003a.jpg", "A0010a.jpg"]
    assert sorted(names, key=pattern.read) == expected


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        (NamePattern(HEIGHT, 30), "SI1_012031.png", "no multiple of watch.layer_height_um 30"),
        (NamePattern(HEIGHT, 30), "notes.txt", "does not match watch.pattern"),
        (NamePattern("(?P<layer>.*)"), "nan", "'nan' is no number"),
        (NamePattern("(?P<layer>.*)"), "-1", "no number"),
        (NamePattern("(?P<layer>.*)"), "1_000", "no number"),
        (NamePattern("(?P<layer>.*)"), "2147483648", "not in 0"),
        (NamePattern("(?P<layer>.*)"), "9" * 5000, "no number"),
        (NamePattern("(?P<height>.*)", 1), "inf", "no number"),
        (NamePattern("(?P<step>.)(?P<layer>.*)", steps=STEPS), "C1", "step 'C'"),
    ],
)
def test_a_name_without_meaning_is_refused_with_the_reason(pattern, name, found):
    with pytest.raises(LayerNameError, match=found):
        pattern.read(name)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (dict(pattern="("), "no regular expression"),
        (dict(pattern="(?P<build>.*)"), "needs one of the groups"),
        (dict(pattern="(?P<layer>.)(?P<height>.)"), "needs one of the groups"),
        (dict(pattern="(?P<height>.*)"), "layer_height_um is missing"),
        (dict(pattern="(?P<layer>.)(?P<step>.)"), "watch.steps is missing"),
        (dict(pattern="(?P<layer>.)(?P<camera>.)"), "camera"),
        (dict(pattern="(?P<layer>.)", step="melted"), "'melted' is none of"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(arguments, found):
    with pytest.raises(ConfigError, match=found):
        NamePattern(**arguments)


@settings(max_examples=2500, deadline=None)
@given(
    st.sampled_from(["(?P<layer>.*)", "(?P<height>.*)", HEIGHT, "(?P<build>.*)_(?P<layer>.*)"]),
    st.one_of(
        st.text(),
        st.from_regex(HEIGHT, fullmatch=True),
        st.floats().map(str),
        st.integers().map(str),
        st.tuples(st.text(), st.integers()).map(lambda pair: f"{pair[0]}_{pair[1]}"),
    ),
)
def test_any_name_is_read_or_refused(pattern, name):
    try:
        found = NamePattern(pattern, layer_height_um=30.0).read(name)
    except LayerNameError as error:
        assert repr(name) in str(error)  # noqa: PT017  a right answer would do as well
    else:
        assert found.build
        assert 0 <= found.number < 2**31


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")  # sets that Python may change
@settings(max_examples=2500, deadline=None)
@given(st.text("(?P<layerbuild>height)[]*+.|\\0", max_size=40))
def test_any_pattern_is_taken_or_refused(pattern):
    try:
        NamePattern(pattern, 30.0)
    except ConfigError as error:
        assert repr(pattern) in str(error)  # noqa: PT017  many patterns are right
