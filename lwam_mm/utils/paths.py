"""Find the configs: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def configs_folder() -> Path:
    """Return the folder of the configs.

    Raises:
        FileNotFoundError: The package was installed without them.
    """
    for folder in (_PACKAGE / ".mim" / "configs", _PACKAGE.parent / "configs"):
        if (folder / "_base_" / "default_runtime.py").is_file():
            return folder
    raise FileNotFoundError(
        f"{_PACKAGE}: has no configs, neither in .mim nor beside it; install "
        "lwam_mm from a checkout or its wheel"
    )
