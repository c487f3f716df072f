"""Which exporter of torch mmdeploy uses, and whether it finds the functions that it replaces.

Where the order of imports matters, a test runs functions of this file in a process of its own,
forked from one that has imported what is slow to import, and nothing of ours. Of our modules this
file may therefore import at its top only compat.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from lwam_mm import compat

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.skipif(find_spec("mmdeploy") is None, reason="mmdeploy is not installed")


def export_within_mmdeploy(folder: Path, repaired: bool) -> tuple:
    compat.stub_missing_mmcv_ops()
    applied = [compat.repair_exporter() for _ in range(2)] if repaired else []
    assert "mmdeploy" not in sys.modules
    from mmdeploy.core import RewriterContext

    applied.append(compat.repair_exporter() if repaired else compat.let_rewriters_import())
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
    applied, asked_for, _ = in_fresh_process(export_within_mmdeploy, tmp_path, False)
    assert applied == [sys.version_info >= (3, 13)]
    assert asked_for == [True, True]

    applied, asked_for, restored = in_fresh_process(export_within_mmdeploy, tmp_path, True)
    assert applied == [True, False, False]
    assert asked_for == [False, True]
    assert restored
    onnx.checker.check_model(str(tmp_path / "inside.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["inside.onnx"]


def exec_in_a_copy(code: str) -> None:
    """What ``exec`` does from Python 3.13 on: names that the code binds are lost."""
    caller = sys._getframe(1)
    exec(code, caller.f_globals, dict(caller.f_locals))


def rewrite(repaired: bool) -> tuple:
    compat.stub_missing_mmcv_ops()
    import colorsys

    from mmdeploy.core import FUNCTION_REWRITER, RewriterContext
    from mmdeploy.core.rewriters import function_rewriter, rewriter_utils

    function_rewriter.exec = rewriter_utils.exec = exec_in_a_copy
    applied = [compat.let_rewriters_import() for _ in range(2)] if repaired else []
    register = FUNCTION_REWRITER.register_rewriter
    register(func_name="colorsys.hsv_to_rgb")(lambda *_: "rewritten")  # a function
    register(func_name="torch.nn.Dropout2d.extra_repr")(lambda _: "rewritten")  # an inherited one
    dropout, seen = torch.nn.Dropout2d(), []
    with RewriterContext(dict(), backend="onnxruntime"):
        seen.append((colorsys.hsv_to_rgb(0, 0, 0), dropout.extra_repr()))
    seen.append((colorsys.hsv_to_rgb(0, 0, 0), dropout.extra_repr()))
    return applied, *seen, "extra_repr" in vars(torch.nn.Dropout2d)


def test_without_the_repair_python_3_13_does_not_rewrite(in_fresh_process):
    """Once this fails, mmdeploy does the work and the repair can go."""
    with pytest.raises(NameError):
        in_fresh_process(rewrite, False)


def test_functions_are_found_and_put_back(in_fresh_process):
    applied, inside, outside, is_left = in_fresh_process(rewrite, True)
    assert applied == [True, False]
    assert inside == ("rewritten", "rewritten")
    assert outside == ((0, 0, 0), "p=0.5, inplace=False")
    assert not is_left


def export_a_student(folder: Path, first: str) -> bool:
    """Export by MMDeploy's own interface, with no module of ours named for the deployment."""
    compat.stub_missing_mmcv_ops()  # for mmdeploy to be imported first
    if first == "plugin":
        import lwam_mm.plugin

        assert "mmdeploy" not in sys.modules
    from mmdeploy.apis import torch2onnx
    from mmengine.config import Config

    if first == "mmdeploy":
        import lwam_mm.plugin  # noqa: F401
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    from lwam_mm.utils.paths import configs_folder

    config = Config.fromfile(configs_folder() / "_base_" / "models" / "lwrnet.py")
    config.default_scope = "mmseg"
    config.test_pipeline = [dict(type="LoadImageFromFile"), dict(type="PackSegInputs")]
    for part in (config.model.backbone, config.model.decode_head):
        part.base_channels = 4
    init_default_scope("mmseg")
    torch.save(MODELS.build(config.model).state_dict(), folder / "student.pth")
    deploy = dict(
        onnx_config=dict(type="onnx", input_names=["input"], output_names=["output"]),
        codebase_config=dict(type="mmseg", task="Segmentation"),
        backend_config=dict(type="onnxruntime"),
    )
    deploy["onnx_config"].update(save_file="end2end.onnx", opset_version=17, input_shape=(32, 32))
    image, weights = torch.zeros(32, 32, 3, dtype=torch.uint8).numpy(), folder / "student.pth"
    torch2onnx(
        image, str(folder), "end2end.onnx", Config(deploy), config, str(weights), device="cpu"
    )
    return "lwam_mm.deploy" in sys.modules


@pytest.mark.parametrize("first", ["plugin", "mmdeploy"])
def test_plugin_alone_repairs_the_exporter(in_fresh_process, tmp_path, first):
    assert not in_fresh_process(export_a_student, tmp_path, first)
    exported = onnx.load(str(tmp_path / "end2end.onnx"))
    onnx.checker.check_model(exported)
    assert "ArgMax" in {node.op_type for node in exported.graph.node}  # a rewrite of MMDeploy's


def import_plugin_without_mmdeploy() -> bool:
    sys.modules["mmdeploy"] = None
    import lwam_mm.plugin  # noqa: F401

    try:
        import mmdeploy.core  # noqa: F401
    except ModuleNotFoundError:
        return True
    return False


def test_plugin_does_without_mmdeploy(in_fresh_process):
    assert in_fresh_process(import_plugin_without_mmdeploy)
