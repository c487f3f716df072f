from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZE = 24


def draw_pair(root: Path, split: str, stem: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, mask = (root / kind / split / f"{stem}.png" for kind in ("images", "masks"))
    for path in (image, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (SIZE, SIZE), np.uint8)).save(image)
    Image.fromarray((np.arange(SIZE * SIZE) % 6).astype(np.uint8).reshape(SIZE, SIZE)).save(mask)


@pytest.fixture
def tiny_root(tmp_path: Path) -> Path:
    """Make a sound data set: three training pairs, two for validation; every class occurs."""
    root = tmp_path / "tiny"
    for seed, (split, stem) in enumerate(
        [("train", "a"), ("train", "b"), ("train", "build2/c"), ("val", "d"), ("val", "e")]
    ):
        draw_pair(root, split, stem, seed)
    return root
