"""Repairs of how mmdeploy exports."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def repair_exporter() -> bool:
    """Apply the repairs of mmdeploy: now if it is imported already, else when it is imported.

    mmdeploy itself is not imported here. It takes seconds, and training does not need it.
    """
    if _CORE in sys.modules:
        return any([export_by_torchscript(), let_rewriters_import()])
    if any(isinstance(finder, _RepairOnImport) for finder in sys.meta_path):
        return False
    sys.meta_path.insert(0, _RepairOnImport())
    return True


def export_by_torchscript() -> bool:
    """Export to ONNX by torch's TorchScript exporter while mmdeploy is exporting.

    For mmdeploy 1.3.1 under torch 2.9 and later, where ``torch.onnx.export`` became the dynamo
    exporter (its release notes), which mmdeploy's rewriters do not fit: a KeyError, or a missing
    onnxscript. mmdeploy's own rewriter does the work, so torch stays as it is everywhere else.
    """
    import torch
    from mmdeploy.core import FUNCTION_REWRITER

    name = "torch.onnx.export"
    if "dynamo" not in inspect.signature(torch.onnx.export).parameters:
        return False
    if name in FUNCTION_REWRITER._registry._rewrite_records:
        return False

    @FUNCTION_REWRITER.register_rewriter(func_name=name)
    def onnx_export__torchscript(*args: Any, **kwargs: Any) -> Any:
        export = FUNCTION_REWRITER.get_context().origin_func
        return export(*args, **{**kwargs, "dynamo": False})

    return True


def let_rewriters_import() -> bool:
    """Let mmdeploy's rewriters find the functions that they replace.

    For mmdeploy 1.3.1 under Python 3.13 and later. Its functions run ``exec("import torch")`` and
    then expect ``torch`` among their local variables. There ``exec`` writes into a copy of these
    (PEP 667), so each rewrite is skipped with "Can not find torch..., function rewrite will not
    be applied".
    """
    from mmdeploy.core.rewriters import function_rewriter, rewriter_utils

    try:
        rewriter_utils.eval_with_import("colorsys.rgb_to_hsv")
    except NameError:
        function_rewriter.exec = rewriter_utils.exec = _exec_in_frame
        return True
    return False


def _exec_in_frame(code: str) -> None:
    """Run code as the builtin did before Python 3.13: new names stay with the calling function."""
    caller = sys._getframe(1)
    exec(code, caller.f_globals, caller.f_locals)


_CORE = "mmdeploy.core"  # holds the rewriters; nothing is exported before it is imported


class _RepairOnImport(MetaPathFinder):
    """Repairs mmdeploy as soon as its core has been imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _CORE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = self._then_repair(spec.loader.exec_module)
        return spec

    def _then_repair(self, exec_module: Callable[[ModuleType], None]) -> Callable:
        def exec_and_repair(module: ModuleType) -> None:
            exec_module(module)
            sys.meta_path.remove(self)
            repair_exporter()

        return exec_and_repair
