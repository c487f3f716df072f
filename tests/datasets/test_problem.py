import pickle
from pathlib import Path

import pytest

from lwam_mm.datasets.problem import DatasetError, Problem, error_for, raise_for, summarise


def problems(kind: str, count: int) -> list[Problem]:
    return [
        Problem(kind, Path(f"{kind}{i}.png"), f"found {i}.", f"mend {i}.") for i in range(count)
    ]


def test_text_names_file_value_and_remedy():
    assert str(problems("size", 1)[0]) == "size0.png: found 0. Remedy: mend 0."


def test_summary_shows_the_first_of_each_kind_and_counts_the_rest():
    text = summarise(problems("size", 5) + problems("mode", 2))
    assert text.splitlines() == [
        "[size: 5]",
        "  size0.png: found 0. Remedy: mend 0.",
        "  size1.png: found 1. Remedy: mend 1.",
        "  size2.png: found 2. Remedy: mend 2.",
        "  ... and 2 more of this kind",
        "[mode: 2]",
        "  mode0.png: found 0. Remedy: mend 0.",
        "  mode1.png: found 1. Remedy: mend 1.",
    ]


def test_no_problem_raises_nothing():
    raise_for([], "The data set")


def test_all_problems_come_with_the_error():
    with pytest.raises(DatasetError, match=r"The data set cannot be used\.\n\[size: 4\]") as caught:
        raise_for(problems("size", 4), "The data set")
    assert len(caught.value.problems) == 4


def test_error_survives_being_rebuilt_from_its_text():
    # Data loader workers pickle exceptions or rebuild them as type(error)(text).
    error = error_for(problems("size", 1)[0])
    assert str(DatasetError(str(error))) == str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
