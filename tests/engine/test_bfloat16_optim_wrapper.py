from __future__ import annotations

import torch
from mmengine.registry import OPTIM_WRAPPERS


def test_the_forward_pass_is_bfloat16_and_the_weights_are_not():
    model = torch.nn.Linear(3, 2)
    before = model.weight.detach().clone()
    wrapper = OPTIM_WRAPPERS.build(
        dict(
            type="Bfloat16OptimWrapper",
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
            accumulative_counts=2,
        )
    )
    wrapper.initialize_count_status(model, 0, 4)
    for step in range(2):
        with wrapper.optim_context(model):
            y = model(torch.ones(1, 3))
        assert y.dtype == torch.bfloat16
        wrapper.update_params(y.float().sum())
        # What mmengine's own context does goes on: the step is taken every other time.
        assert torch.equal(model.weight, before) == (step == 0)
    assert model.weight.dtype == torch.float32
    assert model(torch.ones(1, 3)).dtype == torch.float32
