"""Which exporter of torch mmdeploy uses.

Where the order of imports matters, a test runs functions of this file in a process of its own,
forked from one that has imported what is slow to import, and nothing of ours. Of our modules this
file may therefore import at its top only compat.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lwam_mm import compat


def export_within_mmdeploy(folder: Path, repaired: bool) -> tuple:
    compat.stub_missing_mmcv_ops()
    from mmdeploy.core import RewriterContext

    applied = [compat.export_by_torchscript() for _ in range(2)] if repaired else []
    asked_for, stock = [], torch.onnx.export

    def export(*args, dynamo=True, **kwargs):
        asked_for.append(dynamo)
        if not dynamo:
            stock(*args, dynamo=dynamo, **kwargs)

    torch.onnx.export = export
    model, x = torch.nn.Conv2d(3, 4, 1), torch.zeros(1, 3, 8, 8)
    with RewriterContext(dict(), backend="onnxruntime"):
        torch.onnx.export(model, x, str(folder / "inside.onnx"))
    torch.onnx.export(model, x, str(folder / "outside.onnx"))
    return applied, asked_for, torch.onnx.export is export


def test_mmdeploy_alone_exports_by_torchscript(in_fresh_process, tmp_path):
    pytest.importorskip("onnx")
    _, asked_for, _ = in_fresh_process(export_within_mmdeploy, tmp_path, False)
    assert asked_for == [True, True]

    applied, asked_for, restored = in_fresh_process(export_within_mmdeploy, tmp_path, True)
    assert applied == [True, False]
    assert asked_for == [False, True]
    assert restored
    import onnx

    onnx.checker.check_model(str(tmp_path / "inside.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["inside.onnx"]
