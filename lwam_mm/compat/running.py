"""Repairs of how mmengine runs a training, and of its warnings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from lwam_mm.compat.replace import replace


def format_configs_once() -> bool:
    """Cache the formatted text of configs.

    For mmengine 0.10.7, which formats the same config with yapf for each checkpoint. That takes
    longer than writing the file.
    """
    import mmengine.config.config as module

    cache: dict[str, Any] = {}

    def format_code(stock: Callable, text: str, **options: Any) -> Any:
        key = f"{text}\n{options}"
        if key not in cache:
            if len(cache) >= 16:
                cache.clear()
            cache[key] = stock(text, **options)
        return cache[key]

    return replace("FormatCode", module, by=format_code)


def start_processes_without_gpu() -> bool:
    """Make distributed training start on machines without a GPU.

    For mmengine 0.10.7, whose ``init_dist`` sets a GPU for each process with every backend, which
    fails in torch if there is none.
    """
    import mmengine.dist
    import mmengine.dist.utils
    import mmengine.runner.runner
    import torch

    def init_dist(stock: Callable, launcher: str, *args: Any, **kwargs: Any) -> None:
        set_device = torch.cuda.set_device
        if not torch.cuda.is_available():
            torch.cuda.set_device = lambda device: None
        try:
            stock(launcher, *args, **kwargs)
        finally:
            torch.cuda.set_device = set_device

    modules = mmengine.dist, mmengine.dist.utils, mmengine.runner.runner
    return replace("init_dist", *modules, by=init_dist)


_FOR_WORKERS = ("persistent_workers", "prefetch_factor", "multiprocessing_context", "timeout")


def build_dataloaders_without_workers() -> bool:
    """Drop the options for worker processes of a data loader if ``num_workers`` is 0.

    For mmengine 0.10.7, which passes them to torch, and torch refuses them: with ``num_workers=0``
    a user would have to set ``persistent_workers=False`` as well. Without workers none of these
    options has an effect.
    """
    from mmengine.runner import Runner

    def build_dataloader(stock: Callable, dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(dataloader, dict) and not dataloader.get("num_workers"):
            dataloader = {k: v for k, v in dataloader.items() if k not in _FOR_WORKERS}
        return stock(dataloader, *args, **kwargs)

    return replace("build_dataloader", Runner, by=build_dataloader)


_UPSTREAM_WARNINGS = (
    # mmseg 1.2.2 calls its own deprecated function in every decode head.
    (r"``build_loss`` would be deprecated soon", UserWarning),
    # mmseg 1.2.2 warns whenever no pictures are requested.
    (r"The draw is False, it means that the hook for visualization", UserWarning),
)


def ignore_warnings_about_upstream() -> bool:
    """Ignore warnings that mmsegmentation 1.2.2 raises about its own code.

    Each is listed with its reason; all other warnings pass. Existing filters are not duplicated.
    """
    for message, category in _UPSTREAM_WARNINGS:
        warnings.filterwarnings("ignore", message=message, category=category)
    return True
