"""Repairs of how mmengine reads and writes checkpoints."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lwam_mm.compat.replace import replace
from lwam_mm.utils.errors import UserError


class UnsafeCheckpointError(UserError, RuntimeError):
    """A checkpoint holds more than tensors and plain values, so loading it could run code."""


class UnreadableCheckpointError(UserError, RuntimeError):
    """A file is truncated, or not a checkpoint."""


class CheckpointNotWrittenError(UserError, OSError):
    """A checkpoint could not be written, for example because the disk is full."""


def refuse_unsafe_checkpoints() -> bool:
    """Load local checkpoints with ``weights_only=True``, and explain why one is refused.

    For mmengine 0.10.7, whose loader shows a page of torch's advice, some of it to switch the
    safety off (open-mmlab/mmengine pull request 1650 would do that). A trusted file can still be
    loaded with ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1``, torch's own switch.
    """
    import torch
    from mmengine.runner.checkpoint import CheckpointLoader

    if getattr(CheckpointLoader._schemes.get(""), "is_safe", False):
        return False

    def load_local_checkpoint(filename: str, map_location: Any) -> Any:
        path = Path(filename).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"{filename}: there is no such checkpoint file")
        try:
            # weights_only=True is the default from torch 2.6, which setup.py requires. It is not
            # passed because torch's switch changes only the default.
            return torch.load(path, map_location=map_location)
        except pickle.UnpicklingError as error:
            reason = error.__context__ or error  # torch wraps it in a page of advice
            if _is_pickle_or_archive(path):
                raise UnsafeCheckpointError(_refusal(path, reason)) from None
            raise UnreadableCheckpointError(_unreadable(path, reason)) from None
        except Exception as error:  # the unpickler raises any error on arbitrary bytes
            raise UnreadableCheckpointError(_unreadable(path, error)) from error

    load_local_checkpoint.is_safe = True  # type: ignore[attr-defined]
    CheckpointLoader.register_scheme(prefixes="", loader=load_local_checkpoint, force=True)
    return True


def write_checkpoints_whole() -> bool:
    """Write checkpoints atomically: to a temporary file, which is then renamed.

    For mmengine 0.10.7, which writes checkpoints in place: a killed run or a full disk leaves half
    a file, and the previous one may be gone. It also builds the whole file in memory first. Storage
    other than local files is left to upstream.
    """
    import mmengine.runner
    import mmengine.runner.checkpoint
    import mmengine.runner.runner
    import torch
    from mmengine.fileio import LocalBackend, get_file_backend

    from lwam_mm.utils.atomic_files import replacing

    def save_checkpoint(
        stock: Callable,
        checkpoint: dict,
        filename: str,
        file_client_args: dict | None = None,
        backend_args: dict | None = None,
    ) -> None:
        if (
            file_client_args is not None
            or filename.startswith("pavi://")
            or not isinstance(get_file_backend(filename, backend_args=backend_args), LocalBackend)
        ):
            stock(checkpoint, filename, file_client_args, backend_args)
            return
        try:
            with replacing(filename, durable=True) as path, path.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            cause = _cause_on_disk(error)
            if cause is None:
                raise
            raise CheckpointNotWrittenError(
                f"{filename}: this checkpoint could not be written "
                f"({cause.strerror or cause}). Earlier ones are unchanged. Remedy: free space "
                "there, or copy the work dir to another disk and name it with --work-dir; then "
                "continue with --resume"
            ) from error

    modules = mmengine.runner, mmengine.runner.checkpoint, mmengine.runner.runner
    return replace("save_checkpoint", *modules, by=save_checkpoint)


def _cause_on_disk(error: BaseException | None) -> OSError | None:
    """Find the system's error that caused torch's, which only names a position in the file."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _first_sentence(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return re.split(r"\n|\. (?=[A-Z])", text)[0].rstrip(".")


def _is_pickle_or_archive(path: Path) -> bool:
    """Tell a file that torch could load, and so could run code, from other formats by its start."""
    with path.open("rb") as file:
        return file.read(4).startswith((b"\x80", b"PK\x03\x04"))


def _unreadable(path: Path, error: BaseException) -> str:
    # With its type, because the text alone may say nothing: "KeyError: 174812789".
    return (
        f"{path}: not a readable checkpoint ({type(error).__name__}: {_first_sentence(error)}). "
        "It may be truncated or of another format; use an earlier checkpoint or copy the file again"
    )


def _refusal(path: Path, error: BaseException) -> str:
    return (
        f"{path}: refused, because it holds more than tensors and plain values and loading it "
        f"could run code ({_first_sentence(error)}). If you trust the file, set "
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 for this one command, and then save only its weights"
    )
