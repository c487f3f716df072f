"""Repairs of how mmengine runs a training, and of its warnings."""

from __future__ import annotations

import functools
import warnings
from typing import Any


def format_configs_once() -> bool:
    """Cache the formatted text of configs.

    For mmengine 0.10.7, which formats the same config with yapf for each checkpoint. That takes
    longer than writing the file.

    Returns:
        True if the function was replaced; False if it had been before.
    """
    import mmengine.config.config as module

    stock = module.FormatCode
    if getattr(stock, "remembers", False):
        return False
    known: dict[str, Any] = {}

    def format_code(text: str, **options: Any) -> Any:
        key = f"{text}\n{options}"
        if key not in known:
            if len(known) >= 16:
                known.clear()
            known[key] = stock(text, **options)
        return known[key]

    format_code.remembers = True  # type: ignore[attr-defined]
    module.FormatCode = functools.wraps(stock)(format_code)
    return True


def start_processes_without_gpu() -> bool:
    """Make distributed training start on machines without a GPU.

    For mmengine 0.10.7, whose ``init_dist`` sets a GPU for each process with every backend, which
    fails in torch if there is none.

    Returns:
        True if the function was replaced; False if it had been before.
    """
    import mmengine.dist
    import mmengine.dist.utils
    import mmengine.runner.runner
    import torch

    stock = mmengine.dist.utils.init_dist
    if getattr(stock, "does_without_gpu", False):
        return False

    def init_dist(launcher: str, *args: Any, **kwargs: Any) -> None:
        set_device = torch.cuda.set_device
        if not torch.cuda.is_available():
            torch.cuda.set_device = lambda device: None
        try:
            stock(launcher, *args, **kwargs)
        finally:
            torch.cuda.set_device = set_device

    init_dist.does_without_gpu = True  # type: ignore[attr-defined]
    for module in (mmengine.dist, mmengine.dist.utils, mmengine.runner.runner):
        module.init_dist = functools.wraps(stock)(init_dist)
    return True


_FOR_WORKERS = ("persistent_workers", "prefetch_factor", "multiprocessing_context", "timeout")


def build_dataloaders_without_workers() -> bool:
    """Drop the options for worker processes of a data loader if ``num_workers`` is 0.

    For mmengine 0.10.7, which passes them to torch, and torch refuses them: with ``num_workers=0``
    a user would have to set ``persistent_workers=False`` as well. Without workers none of these
    options has an effect.

    Returns:
        True if the method was replaced; False if it had been before.
    """
    from mmengine.runner import Runner

    stock = Runner.build_dataloader
    if getattr(stock, "does_without_workers", False):
        return False

    def build_dataloader(dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(dataloader, dict) and not dataloader.get("num_workers"):
            dataloader = {k: v for k, v in dataloader.items() if k not in _FOR_WORKERS}
        return stock(dataloader, *args, **kwargs)

    build_dataloader.does_without_workers = True  # type: ignore[attr-defined]
    Runner.build_dataloader = staticmethod(functools.wraps(stock)(build_dataloader))
    return True


_UPSTREAM_WARNINGS = (
    # mmseg 1.2.2 calls its own deprecated function in every decode head.
    (r"``build_loss`` would be deprecated soon", UserWarning),
    # mmseg 1.2.2 warns whenever no pictures are requested.
    (r"The draw is False, it means that the hook for visualization", UserWarning),
)


def ignore_warnings_about_upstream() -> bool:
    """Ignore warnings that mmsegmentation 1.2.2 raises about its own code.

    Each is listed with its reason; all other warnings pass.

    Returns:
        True; existing filters are not duplicated.
    """
    for message, category in _UPSTREAM_WARNINGS:
        warnings.filterwarnings("ignore", message=message, category=category)
    return True
