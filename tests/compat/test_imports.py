"""What cannot be imported without the repairs, and what can with them.

Where the order of imports matters, a test runs functions of this file in a process of its own,
forked from one that has imported what is slow to import, and nothing of ours. Of our modules this
file may therefore import at its top only compat.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from lwam_mm import compat


def test_missing_mmcv_is_named_with_the_remedy(monkeypatch):
    compat.require_mmcv()
    monkeypatch.setitem(sys.modules, "mmcv", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lwam-mm\[lite\]'") as error:
        compat.require_mmcv()
    assert error.value.name == "mmcv"
    with pytest.raises(ModuleNotFoundError, match="lwam-mm"):
        compat.apply()  # says so before anything fails to import it


def import_mmseg_models() -> str | None:
    try:
        import mmseg.models  # noqa: F401
    except ImportError as error:
        return str(error)
    return None


def call_an_operator() -> tuple:
    applied = compat.stub_missing_mmcv_ops(), compat.stub_missing_mmcv_ops()
    failure = import_mmseg_models()
    from mmcv.ops import sigmoid_focal_loss
    from mmengine.utils.dl_utils import mmcv_full_available

    try:
        sigmoid_focal_loss(torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))
    except RuntimeError as error:
        called = str(error)
    return applied, failure, called, mmcv_full_available(), "mmcv._ext" in sys.modules


def test_mmseg_imports_without_compiled_operators(in_fresh_process, lite_mmcv):
    assert in_fresh_process(import_mmseg_models) == "No module named 'mmcv._ext'"

    applied, failure, called, compiled, faked = in_fresh_process(call_an_operator)
    assert applied == (True, False)
    assert failure is None
    assert "compiled operator 'sigmoid_focal_loss_forward' was called" in called
    assert "No module named 'mmcv._ext'" in called
    assert "Install a compiled mmcv" in called
    assert not compiled
    assert not faked


def stub_beside_extension(folder: Path, source: str) -> tuple:
    import mmcv
    from mmcv.utils import ext_loader
    from mmengine.utils.dl_utils import mmcv_full_available

    folder.joinpath("_ext.py").write_text(source)
    mmcv.__path__.append(str(folder))
    stock = ext_loader.load_ext
    applied = compat.stub_missing_mmcv_ops()
    operator = ext_loader.load_ext("_ext", ["nms"]).nms
    try:
        called = operator()
    except RuntimeError as error:
        called = str(error)
    return applied, ext_loader.load_ext is stock, called, mmcv_full_available()


def test_compiled_mmcv_is_left_alone(in_fresh_process, lite_mmcv, tmp_path):
    source = "def nms():\n    return 'compiled'\n"
    found = in_fresh_process(stub_beside_extension, tmp_path, source)
    assert found == (False, True, "compiled", True)


def test_compiled_mmcv_that_does_not_load_is_told(in_fresh_process, lite_mmcv, tmp_path):
    source = "raise ImportError('undefined symbol: _ZN2at4_ops')\n"
    applied, is_stock, called, _ = in_fresh_process(stub_beside_extension, tmp_path, source)
    assert (applied, is_stock) == (True, False)
    assert "undefined symbol: _ZN2at4_ops" in called


def import_mmrazor_models(repairs: tuple[str, ...]) -> tuple:
    compat.stub_missing_mmcv_ops()
    before = sys.getrecursionlimit()
    applied = [getattr(compat, repair)() for repair in repairs]
    try:
        import mmrazor.models  # noqa: F401
    except ImportError as error:
        return applied, str(error), None
    return applied, None, sys.getrecursionlimit() - before


def call_a_quantization_table() -> tuple:
    compat.stub_missing_mmcv_ops()
    applied = compat.stub_mmrazor_quantization(), compat.stub_mmrazor_quantization()
    from mmrazor.structures import quantization

    try:
        quantization.get_native_backend_config()
    except RuntimeError as error:
        return applied, quantization.BackendConfigs, str(error)
    return applied, quantization.BackendConfigs, None


def test_mmrazor_imports_on_todays_torch(in_fresh_process):
    pytest.importorskip("mmrazor")
    _, failure, _ = in_fresh_process(import_mmrazor_models, ())
    assert "torch>=1.13` is not installed properly" in failure

    applied, tables, called = in_fresh_process(call_a_quantization_table)
    assert applied == (True, False)
    assert tables == {}
    assert "do not work with this version of torch" in called


def test_mmrazor_leaves_the_recursion_limit(in_fresh_process):
    pytest.importorskip("mmrazor")
    tables, limit = "stub_mmrazor_quantization", "keep_recursion_limit"
    _, failure, raised_by = in_fresh_process(import_mmrazor_models, (tables,))
    assert failure is None
    assert raised_by > 1_000_000

    applied, _, raised_by = in_fresh_process(import_mmrazor_models, (tables, limit, limit))
    assert applied == [True, True, False]
    assert raised_by == 0


def test_mmrazor_need_not_be_installed(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "mmrazor"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mmrazor", None)
    assert not compat.stub_mmrazor_quantization()
    assert not compat.keep_recursion_limit()
