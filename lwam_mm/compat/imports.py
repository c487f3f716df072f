"""Repairs of imports that fail: mmcv without compiled operators, mmrazor on current torch."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn


def require_mmcv() -> None:
    """Check that mmcv is installed.

    Two packages provide mmcv and write the same folder. setup.py requires neither, because it
    would overwrite the other.

    Raises:
        ModuleNotFoundError: Neither is installed; the message says how to install one.
    """
    if importlib.util.find_spec("mmcv") is None:
        raise ModuleNotFoundError(
            "mmcv is not installed. Install mmcv-lite, which needs no compiler "
            "(pip install 'lwam-mm[lite]'), or a compiled mmcv of version 2.0.0rc4 to 2.1.0",
            name="mmcv",
        )


def stub_missing_mmcv_ops() -> bool:
    """Make ``mmcv.ops`` importable without compiled operators.

    For mmcv-lite 2.x under mmsegmentation 1.2.2, whose models import ``mmcv.ops`` unguarded
    (open-mmlab/mmsegmentation issue 871). No model here uses a compiled operator. A model that
    does gets a clear error when it calls one, not on import. ``mmcv._ext`` stays absent, because
    mmengine tests for it to find out whether mmcv is compiled.
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
    """Make ``mmrazor.models`` importable on torch 2.1 and later.

    For mmrazor 1.0.0, whose quantization tables use torch internals that were removed; it then
    reports that torch>=1.13 is not installed properly (open-mmlab/mmrazor issues 615 and 632).
    Distillation needs none of these tables. A stub module replaces them, whose functions raise a
    clear error.
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
    stub = ModuleType(name, "Stub of mmrazor's quantization tables; see lwam_mm.compat.")
    stub.BackendConfigs = {}  # type: ignore[attr-defined]
    getters = [
        f"get_{backend}_backend_config{suffix}"
        for backend in ("academic", "native", "openvino", "tensorrt")
        for suffix in ("", "_dict")
    ]
    for getter in getters:
        setattr(stub, getter, _raiser(RuntimeError, message))
    stub.__all__ = ["BackendConfigs", *getters]  # type: ignore[attr-defined]
    sys.modules[name] = stub
    return True


def keep_recursion_limit() -> bool:
    """Import mmrazor's models, and restore the recursion limit that they change.

    For mmrazor 1.0.0, which raises the limit to 2**20 on import (``channel_flow.py``,
    ``fx_tracer.py``). An endless recursion anywhere would then crash the process without a
    message, instead of raising RecursionError.
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
