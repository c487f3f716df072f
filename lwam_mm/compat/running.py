"""Repairs of how mmengine runs a training."""

from __future__ import annotations

import functools
import warnings
from typing import Any


def format_configs_once() -> bool:
    """Remember the formatted text of a config.

    For mmengine 0.10.7, which has yapf format the same config anew for every checkpoint: that
    takes longer than to write the file.

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
    """Let the processes of a training find each other where there is no GPU.

    For mmengine 0.10.7, whose ``init_dist`` gives each process a GPU of its own whatever the
    backend; torch then has none to give, and fails.

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
    """Leave out a data loader's options for worker processes where ``num_workers`` is 0.

    For mmengine 0.10.7, which hands them on to torch, and torch refuses them: whoever sets
    ``num_workers=0`` would have to set ``persistent_workers=False`` as well. Without workers none
    of these options has a meaning.

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


_ABOUT_UPSTREAM = (
    # mmseg 1.2.2 calls its own deprecated function in every decode head.
    (r"``build_loss`` would be deprecated soon", UserWarning),
    # mmseg 1.2.2 says so whenever pictures are not asked for.
    (r"The draw is False, it means that the hook for visualization", UserWarning),
)


def ignore_warnings_about_upstream() -> bool:
    """Ignore warnings by which upstream packages tell themselves off, one by one.

    For mmengine 0.10.7, mmsegmentation 1.2.2 and mmdeploy 1.3.1; each is listed with its reason.
    All other warnings pass.

    Returns:
        True; a filter that is there already is not doubled.
    """
    for message, category in _ABOUT_UPSTREAM:
        warnings.filterwarnings("ignore", message=message, category=category)
    return True
