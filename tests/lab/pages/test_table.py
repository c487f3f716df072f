import doctest
import math

import pytest

from lwam_mm.lab.pages import table
from lwam_mm.lab.pages.table import (
    ModelScores,
    format_amount,
    format_parameters,
    format_percent,
    markdown_table,
    models_table,
    text_table,
)


def format_models(models, classes=()):
    return text_table(*models_table(models, classes))


def test_the_example_lines_up_names_left_and_figures_right():
    assert doctest.testmod(table, optionflags=doctest.NORMALIZE_WHITESPACE) == (0, 2)
    models = [ModelScores("teacher", 71.25, [98.5]), ModelScores("a", 6.0, [None])]
    lines = format_models(models, ["Background"]).splitlines()
    for name, figure in (("teacher", "71.25"), ("a", "6.00")):
        (line,) = [line for line in lines if line.split()[0] == name]
        assert line.index(name) == lines[0].index("model")
        assert line.index(figure) + len(figure) == lines[0].index("mIoU %") + len("mIoU %")


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf])
def test_unknown_figures_are_dashes(unknown):
    model = ModelScores("a", unknown, [unknown], None, unknown)
    assert format_models([model], ["Super"]).splitlines()[2].split() == ["a", "-", "-", "-", "-"]


def test_regions_have_columns_where_they_were_counted():
    counted = ModelScores("a", 1.0, regions_found=62.5, false_regions=0.0)
    headings, rows = models_table([counted, ModelScores("b", 1.0)], [])
    assert headings == ["model", "mIoU %", "found %", "false", "parameters", "ms/image"]
    assert [row[2:4] for row in rows] == [["62.50", "0.00"], ["-", "-"]]


def test_class_ious_must_fit_the_classes():
    with pytest.raises(ValueError, match="'student' has 1 class IoUs for 2 classes"):
        models_table([ModelScores("student", 1.0, [1.0])], ["Background", "Super"])


def test_markdown_aligns_names_and_texts_left_and_figures_right():
    lines = markdown_table(["arm", "mIoU", "config"], [["a", "5.00", "x.py"]], left=["config"])
    head, rule, row = [line.strip("|").split("|") for line in lines.splitlines()]
    assert [cell.strip() for cell in head] == ["arm", "mIoU", "config"]
    assert [(cell.strip()[0], cell.strip()[-1]) for cell in rule] == [
        (":", "-"), ("-", ":"), (":", "-"),
    ]  # fmt: skip
    assert [cell.strip() for cell in row] == ["a", "5.00", "x.py"]


def test_a_cell_of_markdown_stays_one_cell():
    head, _, row = markdown_table(["a", "b|c"], iter([["x|y", "two\nlines"]])).splitlines()
    assert [cell.strip() for cell in row.strip("|").split(" | ")] == ["x\\|y", "two lines"]
    assert [cell.strip() for cell in head.strip("|").split(" | ")] == ["a", "b\\|c"]


def test_a_class_may_be_called_as_a_column_is():
    for text in (
        markdown_table(["arm", "arm", "b"], [["1", "2", "3"]], left=["b"]),
        format_models([ModelScores("x", 1.0, [2.0, 3.0])], ["parameters", "parameters"]),
    ):
        assert len(set(map(len, text.splitlines()))) == 1


def test_a_table_without_rows_has_its_headings():
    assert len(markdown_table(["a", "b"], []).splitlines()) == 2
    assert "mIoU %" in format_models([])


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
def test_amounts_have_three_significant_digits(value, text):
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
