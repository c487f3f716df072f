from __future__ import annotations

import pytest
import torch

from lwam_mm.engine import distributed
from lwam_mm.engine.distributed import any_process


@pytest.mark.parametrize("flag", [True, False])
def test_one_process_decides_alone(flag):
    assert any_process(flag) is flag


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_one_of_several_is_enough(monkeypatch, here, there, expected):
    def all_reduce(tensor: torch.Tensor, op: str) -> None:
        """As with a second process."""
        both = torch.stack([tensor, torch.tensor(int(there))])
        tensor.copy_(dict(max=both.max, min=both.min, sum=both.sum)[op]())

    monkeypatch.setattr(distributed, "all_reduce", all_reduce)
    assert any_process(here) is expected
