"""A miniature of the road: a tiny data set, and the real tools run as their users run them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from miniature import NARROW, NO_WORKERS, SHORT, SIZE

from lwam_mm.datasets.synthetic import generate_dataset


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory) -> Path:
    """A synthetic data set of 24 layers of 64 x 64 pixels."""
    root = tmp_path_factory.mktemp("data") / "powder_bed"
    generate_dataset(root, images=24, size=SIZE, seed=0)
    return root


@pytest.fixture(scope="session")
def options(tiny_data) -> Callable[..., list[str]]:
    """Function giving the ``--cfg-options`` that make a demo config run in seconds."""

    def make(config: str, training: bool = True, *more: str) -> list[str]:
        roots = [
            f"{side}_dataloader.dataset.data_root={tiny_data}" for side in ("train", "val", "test")
        ]
        return [
            "--cfg-options",
            *roots,
            *(SHORT if training else []),
            *NO_WORKERS,
            *NARROW[config],
            *more,
        ]

    return make


@pytest.fixture(scope="session")
def run_tool(repository) -> Callable[..., subprocess.CompletedProcess]:
    """Function running a script with arguments; fails, showing its output, on another status."""

    def run(
        script: str | Path,
        *args: object,
        cwd: Path,
        status: int = 0,
        python=sys.executable,
        timeout: float = 300,
    ):
        script = Path(script)
        if not script.is_absolute():
            script = repository / "tools" / script
        done = subprocess.run(
            [str(python), str(script), *map(str, args)],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == status, (
            f"{script.name} exited with {done.returncode}\n{done.stdout[-4000:]}\n"
            f"{done.stderr[-6000:]}"
        )
        return done

    return run


@pytest.fixture(scope="session")
def stock_tools() -> Path:
    """MMSegmentation's own tools."""
    import mmseg

    return Path(mmseg.__file__).parent / ".mim" / "tools"


@pytest.fixture(scope="session")
def configs(repository) -> Path:
    return repository / "configs" / "demo"
