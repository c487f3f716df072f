from __future__ import annotations

import pytest

from lwam_mm.lab.benchmark.latency import summarise
from lwam_mm.lab.benchmark.row import Result, Row
from lwam_mm.lab.benchmark.run import figures, finish, shares_of
from lwam_mm.lab.benchmark.startup import StartUp
from lwam_mm.lab.benchmark.turns import Timed


def test_a_row_that_dies_keeps_what_it_had():
    result = finish(Row("a", "A", {}), Timed([1.0, 3.0], error="its process was killed"))
    assert result.latency.p50 == 2.0
    assert result.notes == ("failed after 2 calls: its process was killed",)


def test_a_row_that_never_ran_says_why():
    result = finish(Row("a", "A", None, note="not measured: no pnnx"), None)
    assert (result.latency, result.notes) == (None, ("not measured: no pnnx",))
    failed = finish(Row("a", "A", {}), Timed(error="cannot be loaded"))
    assert (failed.latency, failed.notes) == (None, ("cannot be loaded",))


def test_a_share_is_a_rate_over_the_ceilings():
    # 80 G in 400 ms are 200 G a second; the ceiling does 50 G in 100 ms, 500 G a second.
    row = Result("openvino", "", macs=80 * 10**9, ceiling="top", latency=summarise([400.0, 400.0]))
    other = Result("torch", "", macs=1, ceiling="gone", latency=summarise([1.0]))
    top = Result("top", "", macs=50 * 10**9, latency=summarise([100.0]))
    assert shares_of([row, other], [top]) == {"openvino": pytest.approx(0.4)}


def test_figures_have_the_names_that_the_targets_know():
    starts = {
        "openvino-int8": StartUp("", 3.0, 1.0, 0.1, 300.0),
        "openvino-int8 tiles": StartUp("", 9.0, 8.0, 5.0, 450.0),
    }
    row = Result("folded", "", latency=summarise([5.0, 7.0]))
    assert figures([row], {"folded": 0.5}, starts, 0.2) == {
        "import": 0.2,
        "folded.p50": 6.0,
        "folded.p99": 7.0,
        "folded.share": 0.5,
        "openvino-int8.start": 1.0,
        "openvino-int8.peak": 300.0,
        "openvino-int8.tiling_peak": 450.0,
    }
