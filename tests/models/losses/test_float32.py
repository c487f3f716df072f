from __future__ import annotations

import pytest
import torch

from lwam_mm.models.losses.float32 import at_least_float32


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_is_left_and_more_is_kept(given, expected):
    assert at_least_float32(torch.ones(2, dtype=given)).dtype == expected
