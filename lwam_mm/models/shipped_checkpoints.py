"""Checkpoints that come with the package, named ``lwam_mm::NAME`` wherever mmengine loads one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader

from lwam_mm.utils.errors import UserError

SCHEME = "lwam_mm::"
FOLDER = Path(__file__).parent / "checkpoints"


class UnknownCheckpointError(UserError, FileNotFoundError):
    """The package has no checkpoint of this name."""


def shipped_names() -> list[str]:
    """Return the names of the checkpoints that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.pth"))


def checkpoint_file(checkpoint: str | Path) -> Path:
    """Return the file of a checkpoint, which is a path or ``lwam_mm::NAME``.

    Raises:
        UnknownCheckpointError: The package has no checkpoint of this name.
    """
    if not str(checkpoint).startswith(SCHEME):
        return Path(checkpoint)
    name = str(checkpoint).removeprefix(SCHEME)
    if name not in shipped_names():
        raise UnknownCheckpointError(
            f"{checkpoint}: no such checkpoint comes with lwam_mm; there are "
            f"{', '.join(SCHEME + known for known in shipped_names())}"
        )
    return FOLDER / f"{name}.pth"


@CheckpointLoader.register_scheme(prefixes=SCHEME, force=True)
def load_from_lwam_mm(name: str, map_location: Any = None) -> Any:
    """Load a checkpoint by ``lwam_mm::NAME``, for example in a config's ``load_from``."""
    return CheckpointLoader.load_checkpoint(str(checkpoint_file(name)), map_location)
