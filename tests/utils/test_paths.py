from __future__ import annotations

import pytest

from lwam_mm.utils import paths


def test_checkout(repository):
    assert paths.configs_folder() == repository / "configs"


def test_wheel_comes_first_and_nothing_is_an_error(tmp_path, monkeypatch):
    package = tmp_path / "lwam_mm"
    monkeypatch.setattr(paths, "_PACKAGE", package)
    with pytest.raises(FileNotFoundError, match="has no configs"):
        paths.configs_folder()
    for folder in (tmp_path / "configs", package / ".mim" / "configs"):
        (folder / "_base_").mkdir(parents=True)
        (folder / "_base_" / "default_runtime.py").touch()
        assert paths.configs_folder() == folder
