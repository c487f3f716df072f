"""Repair of how mmdeploy exports."""

from __future__ import annotations

import inspect
from typing import Any


def export_by_torchscript() -> bool:
    """Export to ONNX by torch's TorchScript exporter while mmdeploy is exporting.

    For mmdeploy 1.3.1 under torch 2.9 and later, where ``torch.onnx.export`` became the dynamo
    exporter (its release notes), which mmdeploy's rewriters do not fit: a KeyError, or a missing
    onnxscript. mmdeploy's own rewriter does the work, so torch is left as it is everywhere else.

    Returns:
        True if the rewriter was registered; False if torch knows no dynamo exporter, or if it had
        been before.
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
