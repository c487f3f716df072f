from __future__ import annotations

import runpy

import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--size", "100"], "--size 100"), (["--rounds", "0"], "--rounds 0"),
     (["--data-steps", "1"], "--data-steps 1")],
)  # fmt: skip
def test_figures_that_make_no_sense_are_refused(repository, arguments, message, capsys):
    main = runpy.run_path(str(repository / "tools/benchmark_distillation.py"))["main"]
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err
