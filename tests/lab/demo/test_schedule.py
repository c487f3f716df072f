from __future__ import annotations

import pytest
from mmengine.config import Config

from lwam_mm.lab.demo.schedule import set_iterations


@pytest.mark.parametrize("iterations", [2, 40, 5000])
def test_the_schedule_ends_with_the_training_and_the_last_weights_are_validated(
    iterations, repository
):
    config = Config.fromfile(repository / "configs" / "_base_" / "schedules" / "schedule_1000i.py")
    set_iterations(config, iterations)
    warm_up, cosine = config.param_scheduler
    assert 0 < warm_up.end == cosine.begin < iterations
    assert cosine.begin + cosine.T_max == cosine.end == iterations == config.train_cfg.max_iters
    assert config.train_cfg.val_interval * 2 == iterations
    assert config.default_hooks.checkpoint.interval == config.train_cfg.val_interval


def test_a_config_keeps_the_shape_of_its_own_schedule(repository):
    config = Config.fromfile(repository / "configs" / "_base_" / "schedules" / "schedule_1000i.py")
    own = config.param_scheduler.copy()
    set_iterations(config, 1000)
    assert config.param_scheduler == own
