"""Studies of text, runs whose training is a few lines of Python, and results made up by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from study_fixtures import make_study, stub_tools, write_study  # noqa: F401  fixtures

from lwam_mm.lab.studies.results import RunResult


@pytest.fixture
def make_result() -> Callable[..., RunResult]:
    """Function that makes a finished run's result."""

    def make(arm: str, seed: int, miou: float, **more) -> RunResult:
        facts = dict(
            study="configs/ablations/claim_magnetic-tile.py",
            arm=arm,
            seed=seed,
            config="configs/x.py",
            commit="abc",
            lwam_mm="0.1.0",
            command="python tools/train.py x.py",
            read_at="last",
            checkpoint="epoch_80.pth",
            best_epoch=70,
            seconds=120.0,
            pieces=1,
            parameters=250_000,
        )
        metrics = {"mIoU": miou, "IoU.Crack": miou / 2, **more.pop("metrics", {})}
        return RunResult(facts | more, metrics)

    return make
