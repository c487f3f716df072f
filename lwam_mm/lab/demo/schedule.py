"""Shorter and longer trainings with the same shape of schedule."""

from mmengine.config import Config


def set_iterations(config: Config, iterations: int) -> None:
    """Set the length of a training: warm-up over its first twentieth, then half a cosine.

    It is validated half-way and at its end.

    Args:
        config: A config with the schedules of ``configs/_base_/schedules`` by iterations.
        iterations: 2 or more.
    """
    warm_up = max(1, iterations // 20)
    first, then = config.param_scheduler
    first.end = then.begin = warm_up
    then.T_max, then.end = iterations - warm_up, iterations
    half = -(-iterations // 2)
    config.train_cfg.update(max_iters=iterations, val_interval=half)
    config.default_hooks.checkpoint.interval = half
