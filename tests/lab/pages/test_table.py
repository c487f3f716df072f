import math

import pytest

from lwam_mm.lab.pages.table import (
    ModelRow,
    format_amount,
    format_parameters,
    format_percent,
    format_table,
)


def test_table_lines_up_names_left_and_figures_right():
    rows = [
        ModelRow("teacher", 71.25, [98.5, 44.0], 9_046_808, 812.4),
        ModelRow("student", 66.0, [97.9, None], 3_993_958, 240.02),
    ]
    assert format_table(rows, ["Background", "Super"]).splitlines() == [
        "model    mIoU %  Background  Super  parameters  ms/image",
        "-------  ------  ----------  -----  ----------  --------",
        "teacher   71.25       98.50  44.00     9.047 M       812",
        "student   66.00       97.90      -     3.994 M       240",
    ]


def test_file_size_has_a_column_if_any_row_has_it():
    rows = [ModelRow("a", 1.0), ModelRow("b", 2.0, megabytes=4.0)]
    lines = format_table(rows, []).splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["a", "1.00", "-", "-", "-"],
        ["b", "2.00", "-", "-", "4.00"],
    ]
    assert lines[0].endswith("MB")
    assert "MB" not in format_table(rows[:1], [])


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf])
def test_unknown_figures_are_dashes(unknown):
    row = ModelRow("a", unknown, [unknown], None, unknown, unknown)
    assert format_table([row], ["Super"]).splitlines()[2].split() == ["a", "-", "-", "-", "-"]


def test_class_ious_must_fit_the_classes():
    with pytest.raises(ValueError, match="'student' holds 1 class IoUs for 2 classes"):
        format_table([ModelRow("student", 1.0, [1.0])], ["Background", "Super"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (812.4, "812"),
        (99.96, "100"),
        (24.06, "24.1"),
        (9.996, "10.0"),
        (3.071, "3.07"),
        (0, "0.00"),
    ],
)
def test_amounts_have_three_digits_that_count(value, text):
    assert format_amount(value) == text


def test_large_amounts_have_separators():
    assert format_amount(12345.6) == "12,346"


@pytest.mark.parametrize(
    ("value", "text"), [(3_993_958, "3.994 M"), (229_570, "0.230 M"), (4120, "4,120"), (0, "0")]
)
def test_parameters(value, text):
    assert format_parameters(value) == text


def test_percent_is_rounded_for_reading_only():
    assert format_percent(66.666) == "66.67"
