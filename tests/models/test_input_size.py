from __future__ import annotations

import pytest
import torch

from lwam_mm.models.input_size import STRIDE, require_multiple_of_stride


@pytest.mark.parametrize("size", [(16, 16), (16, 160), (1024, 1024)])
def test_multiples_of_16_pass(size):
    require_multiple_of_stride(torch.empty(1, 3, *size, device="meta"))


@pytest.mark.parametrize("size", [(8, 16), (16, 8), (17, 32), (32, 40), (0, 16), (16, 0)])
def test_other_sizes_are_refused_with_the_remedy(size):
    height, width = size
    with pytest.raises(ValueError, match=f"{height}x{width} pixels") as error:
        require_multiple_of_stride(torch.empty(1, 3, *size, device="meta"))
    assert "data_preprocessor=dict(size_divisor=16, test_cfg=dict(size_divisor=16))" in str(
        error.value
    )


def test_stride_is_that_of_both_networks(build_segmentor):
    x = torch.empty(1, 3, STRIDE, STRIDE, device="meta")
    for network in ("student", "teacher"):
        with torch.device("meta"):
            features = build_segmentor(network).eval().backbone(x)
        assert features[-1].shape[-2:] == (1, 1)


def test_traced_size_is_not_compared():
    def refuse_or_pass(x):
        require_multiple_of_stride(x)
        return x + 1

    with pytest.raises(ValueError, match="multiples of 16"):
        refuse_or_pass(torch.zeros(1, 3, 8, 8))
    torch.jit.trace(refuse_or_pass, torch.zeros(1, 3, 8, 8), check_trace=False)
