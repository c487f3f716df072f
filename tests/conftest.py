"""What all tests share: where the real images are, the reference numbers, random batch norms."""

from __future__ import annotations

import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lwam_mm.plugin  # noqa: F401  repairs upstream before a test module imports it

pytest_plugins = ["narrow_student", "postgres_server", "drawn_layers"]

# Tests import Intel's packages as well: nothing of theirs may report to the vendor.
sys.modules.setdefault("openvino_telemetry", None)

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's top folder."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images: ``LWAM_DATA_ROOT``, else ``shared/data`` beside the checkout."""
    named = os.environ.get("LWAM_DATA_ROOT")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(
            f"no real images: {folder} is not a folder; name theirs in LWAM_DATA_ROOT to run this"
        )
    return folder


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    """Outputs of the authors' released code; see its README."""
    return Path(__file__).parent / "data" / "reference"


@pytest.fixture(scope="session")
def reference_state_dict(reference_folder: Path):
    """Function giving the weights that the reference outputs were made with, as numpy arrays."""

    def make(model: str) -> dict[str, np.ndarray]:
        weights = {}
        for line in (reference_folder / f"{model}_keys.txt").read_text().splitlines():
            name, shape = line.split(" ", 1)
            weights[name] = _reference_value(name, eval(shape))
        return weights

    return make


def _reference_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    draw = np.random.RandomState(zlib.crc32(f"0:{name}".encode()))
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf in ("bias", "running_mean"):
        value = draw.standard_normal(shape) * 0.1
    elif leaf == "running_var":
        value = draw.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        value = draw.uniform(0.4, 0.8, shape)
    else:
        transposed = name.startswith("convtrans") or ".up." in name
        fan = shape[0] if transposed else np.prod(shape[1:])
        value = draw.standard_normal(shape) * np.sqrt(1 / fan)
    return value.astype(np.float32)


@pytest.fixture(scope="session")
def randomise_batch_norms():
    """Function that gives every batch norm statistics and weights that a fold could get wrong."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    def randomise(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
        generator = torch.Generator().manual_seed(seed)

        def uniform(like: torch.Tensor, low: float, high: float) -> torch.Tensor:
            drawn = torch.rand(like.shape, generator=generator) * (high - low) + low
            return drawn.to(like)

        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, _BatchNorm):
                    module.running_mean.copy_(uniform(module.running_mean, -0.5, 0.5))
                    module.running_var.copy_(uniform(module.running_var, 0.3, 3.0))
                    if module.affine:
                        module.weight.copy_(uniform(module.weight, -1.5, 1.5))
                        module.bias.copy_(uniform(module.bias, -0.5, 0.5))
        return model

    return randomise


@pytest.fixture(scope="session")
def draw_blocks():
    """Function drawing a data set of 32x32 pixels in which a pixel's brightness tells its class."""

    def draw(root: Path, train: int, val: int, test: int) -> Path:
        random = np.random.default_rng(0)
        for side, count in (("train", train), ("val", val), ("test", test)):
            for number in range(count):
                blocks = random.integers(0, 6, (4, 4), np.uint8)
                labels = np.kron(blocks, np.ones((8, 8), np.uint8))
                for kind, pixels in (("images", labels * 40), ("masks", labels)):
                    path = root / kind / side / f"{number}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(pixels).save(path)
        return root

    return draw
