from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader

from lwam_mm.datasets.classes import CLASSES
from lwam_mm.deploy.compared_models import load_multi_branch
from lwam_mm.models import reparameterize
from lwam_mm.models.shipped_checkpoints import (
    FOLDER,
    SCHEME,
    UnknownCheckpointError,
    shipped_names,
)
from lwam_mm.utils.paths import configs_folder

CONFIG = configs_folder() / "spreadnet" / "spreadnet-s8_1xb4-600i_polito-frames-512x512.py"
NAME = "powder-bed-drawn"


@pytest.fixture(scope="module")
def config() -> Config:
    config = Config.fromfile(CONFIG)
    config.model.setdefault("data_preprocessor", config.data_preprocessor)
    return config


def test_they_are_small_and_each_has_a_card():
    assert {NAME, f"{NAME}-folded"} <= set(shipped_names())
    assert sum(path.stat().st_size for path in FOLDER.glob("*.pth")) < 5e6
    card = (FOLDER / "README.md").read_text()
    assert all(f"{SCHEME}{name}" in card for name in shipped_names())


def test_a_config_finds_one_by_its_name(config):
    model, record = load_multi_branch(config, f"{SCHEME}{NAME}")
    assert record.classes == CLASSES
    assert torch.isfinite(torch.cat([p.flatten() for p in model.parameters()])).all()


def test_the_folded_one_is_the_same_net(config):
    model, _ = load_multi_branch(config, f"{SCHEME}{NAME}")
    folded = reparameterize(model)
    loaded = reparameterize(model)
    weights = CheckpointLoader.load_checkpoint(f"{SCHEME}{NAME}-folded", "cpu")["state_dict"]
    loaded.load_state_dict(weights)
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = (net.encode_decode(image, [{}]) for net in (folded, loaded))
    # Their weights are rounded to 16 bits, once before folding and once after.
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.05)


def test_another_name_is_refused_with_those_that_are_there():
    with pytest.raises(UnknownCheckpointError, match=f"there are .*{SCHEME}{NAME}"):
        CheckpointLoader.load_checkpoint(f"{SCHEME}nothing")
