from __future__ import annotations

import pytest
import torch
from torch import nn

from lwam_mm.models import reparameterize
from lwam_mm.models.reparam.normed_conv import NormedConv


@pytest.mark.parametrize("kernel_size", [(1, 1), (1, 9), (9, 1), (3, 5)])
@pytest.mark.parametrize("activation", [True, False])
def test_folded_convolution_computes_the_same(kernel_size, activation, randomise_batch_norms):
    conv = NormedConv(4, 6, kernel_size, activation).eval()
    randomise_batch_norms(conv)
    x = torch.randn(2, 4, 11, 13)
    expected = conv(x)
    assert expected.shape == (2, 6, 11, 13)
    assert bool((expected < 0).any()) is not activation
    folded = reparameterize(conv)
    assert [type(m) for m in folded.children()] == [type(conv.activation), nn.Conv2d]
    torch.testing.assert_close(folded(x), expected, atol=1e-5, rtol=1e-5)
    built = NormedConv(4, 6, kernel_size, activation, deploy=True)
    built.load_state_dict(folded.state_dict())
    assert torch.equal(built(x), folded(x))


def test_norm_that_does_not_fold_is_refused():
    with pytest.raises(TypeError, match="cannot be folded"):
        NormedConv(4, 4, norm_cfg=dict(type="GN", num_groups=2))


def test_training_mode_is_not_folded():
    with pytest.raises(RuntimeError, match="training mode"):
        reparameterize(NormedConv(4, 4))
