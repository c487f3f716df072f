"""Repairs of what cannot be imported: mmcv without compiled operators, mmrazor on today's torch."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn


def require_mmcv() -> None:
    """Say how to install mmcv where there is none.

    mmcv comes in two packages that write the same folder, so setup.py cannot ask for one of them
    without overwriting the other: the choice is the user's.

    Raises:
        ModuleNotFoundError: no mmcv is installed.
    """
    if importlib.util.find_spec("mmcv") is None:
        raise ModuleNotFoundError(
            "mmcv is not installed. Install mmcv-lite, which needs no compiler "
            "(pip install 'lwam-mm[lite]'), or a compiled mmcv of version 2.0.0rc4 to 2.1.0",
            name="mmcv",
        )


def stub_missing_mmcv_ops() -> bool:
    """Let ``mmcv.ops`` be imported from an mmcv without compiled operators.

    For mmcv-lite 2.x under mmsegmentation 1.2.2, whose models import ``mmcv.ops`` unguarded
    (open-mmlab/mmsegmentation issue 871). No model here uses a compiled operator; one that does
    gets a clear error when it calls it, not when it is imported. ``mmcv._ext`` itself stays
    absent: mmengine asks for it to find out whether mmcv is compiled.

    Returns:
        True if the loader was replaced; False with a compiled mmcv, or if it had been before.
    """
    from mmcv.utils import ext_loader

    if getattr(ext_loader.load_ext, "is_stub", False):
        return False
    try:
        importlib.import_module("mmcv._ext")
    except ImportError as error:
        reason = str(error)
    else:
        return False

    def load_ext(name: str, funcs: Iterable[str]) -> SimpleNamespace:
        message = (
            "mmcv's compiled operator {!r} was called, but this mmcv has none "
            f"({reason}). Install a compiled mmcv of version 2.0.0rc4 to 2.1.0 to use it"
        )
        return SimpleNamespace(**{f: _raiser(RuntimeError, message.format(f)) for f in funcs})

    load_ext.is_stub = True  # type: ignore[attr-defined]
    ext_loader.load_ext = load_ext
    return True


def stub_mmrazor_quantization() -> bool:
    """Let ``mmrazor.models`` be imported on torch 2.1 and later.

    For mmrazor 1.0.0, whose quantization tables name torch internals that are gone; it then says
    that torch>=1.13 is not installed properly (open-mmlab/mmrazor issues 615 and 632).
    Distillation needs none of these tables, so a stand-in module takes their place; whoever calls
    one of its functions is told.

    Returns:
        True if the stand-in was registered; False if mmrazor's own tables work or were replaced
        before, or if mmrazor is not installed.
    """
    name = "mmrazor.structures.quantization.backend_config"
    if name in sys.modules or importlib.util.find_spec("mmrazor") is None:
        return False
    try:
        importlib.import_module(name)
    except ImportError:
        pass
    else:
        return False

    message = (
        "mmrazor's quantization tables do not work with this version of torch; "
        "quantize the exported model instead"
    )
    stand_in = ModuleType(name, "Stand-in for mmrazor's quantization tables; see lwam_mm.compat.")
    stand_in.BackendConfigs = {}  # type: ignore[attr-defined]
    getters = [
        f"get_{backend}_backend_config{suffix}"
        for backend in ("academic", "native", "openvino", "tensorrt")
        for suffix in ("", "_dict")
    ]
    for getter in getters:
        setattr(stand_in, getter, _raiser(RuntimeError, message))
    stand_in.__all__ = ["BackendConfigs", *getters]  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
    return True


def keep_recursion_limit() -> bool:
    """Import mmrazor's models without the recursion limit that they set for the whole process.

    For mmrazor 1.0.0, which raises it to 2**20 on import (``channel_flow.py``, ``fx_tracer.py``):
    a runaway recursion anywhere then ends the process without a word instead of raising
    RecursionError.

    Returns:
        True if the limit was put back; False if it was left alone or mmrazor is not installed.
    """
    if importlib.util.find_spec("mmrazor") is None:
        return False
    before = sys.getrecursionlimit()
    importlib.import_module("mmrazor.models")
    if sys.getrecursionlimit() == before:
        return False
    sys.setrecursionlimit(before)
    return True


def _raiser(error: type[Exception], message: str) -> Callable[..., NoReturn]:
    def unavailable(*args: Any, **kwargs: Any) -> NoReturn:
        raise error(message)

    return unavailable
