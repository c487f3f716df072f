from __future__ import annotations

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from lwam_mm.lab.benchmark.models import count
from lwam_mm.lab.benchmark.peers import PEERS, peer_config

# As their papers or MMSegmentation's own tables give them, within what classes and heads change.
MILLIONS = {
    "fast-scnn": 1.4, "bisenetv2": 3.35, "stdc1": 8.3, "pidnet-s": 7.7, "ddrnet-23-slim": 5.7,
    "segformer-b0": 3.7, "cgnet": 0.49,
}  # fmt: skip


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_is_itself(name):
    parameters, macs = count(peer_config(name, 6), 128, folded=False)
    assert parameters / 1e6 == pytest.approx(MILLIONS[name], rel=0.02)
    assert macs > 10**6


@pytest.mark.parametrize("name", PEERS)
def test_nothing_is_fetched_and_six_classes_come_out(name):
    config = peer_config(name, 6)
    assert "Pretrained" not in str(config.model)
    assert "auxiliary_head" not in config.model
    assert config.model.test_cfg == dict(mode="whole")
    init_default_scope("mmseg")
    model = MODELS.build(config.model).to("meta").eval()
    found = model(torch.empty(1, 3, 128, 128, device="meta"), mode="tensor")
    assert found.shape[:2] == (1, 6)
