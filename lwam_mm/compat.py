"""Repairs of upstream packages: one function each, applied only where it is needed.

The last releases of mmcv, mmengine, mmrazor and mmdeploy are older than today's torch. Each
function below names the versions and the upstream thread it is for, checks whether the repair is
due, and returns True if it was applied. :func:`apply` runs those that training needs;
:mod:`lwam_mm.deploy` runs :func:`export_by_torchscript` when mmdeploy comes in.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from lwam_mm.errors import UserError


class UnsafeCheckpointError(UserError, RuntimeError):
    """A checkpoint holds more than tensors and plain values, so loading it could run code."""


class UnreadableCheckpointError(UserError, RuntimeError):
    """A file is cut off, or no checkpoint at all."""


class CheckpointNotWrittenError(UserError, OSError):
    """A checkpoint could not be written, for want of space, say."""


def apply() -> None:
    """Apply the repairs that training and testing need. Safe to call more than once.

    Raises:
        ModuleNotFoundError: no mmcv is installed, neither compiled nor lite.
    """
    require_mmcv()
    stub_missing_mmcv_ops()
    stub_mmrazor_quantization()
    keep_recursion_limit()
    save_message_hub_as_plain_data()
    refuse_unsafe_checkpoints()
    write_checkpoints_whole()
    format_configs_once()
    start_processes_without_gpu()
    ignore_warnings_about_upstream()


def require_mmcv() -> None:
    """Say how to install mmcv where there is none.

    mmcv comes in two packages that write the same folder, so setup.py cannot ask for one of them
    without overwriting the other: the choice is the user's.

    Raises:
        ModuleNotFoundError: no mmcv is installed.
    """
    if importlib.util.find_spec("mmcv") is None:
        raise ModuleNotFoundError(
            "mmcv is not installed. Install mmcv-lite, which needs no compiler "
            "(pip install 'lwam-mm[lite]'), or a compiled mmcv of version 2.0.0rc4 to 2.1.0",
            name="mmcv",
        )


def _raiser(error: type[Exception], message: str) -> Callable[..., NoReturn]:
    def unavailable(*args: Any, **kwargs: Any) -> NoReturn:
        raise error(message)

    return unavailable


def stub_missing_mmcv_ops() -> bool:
    """Let ``mmcv.ops`` be imported from an mmcv without compiled operators.

    For mmcv-lite 2.x under mmsegmentation 1.2.2, whose models import ``mmcv.ops`` unguarded
    (open-mmlab/mmsegmentation issue 871). No model here uses a compiled operator; one that does
    gets a clear error when it calls it, not when it is imported. ``mmcv._ext`` itself stays
    absent: mmengine asks for it to find out whether mmcv is compiled.

    Returns:
        True if the loader was replaced; False with a compiled mmcv, or if it had been before.
    """
    from mmcv.utils import ext_loader

    if getattr(ext_loader.load_ext, "is_stub", False):
        return False
    try:
        importlib.import_module("mmcv._ext")
    except ImportError as error:
        reason = str(error)
    else:
        return False

    def load_ext(name: str, funcs: Iterable[str]) -> SimpleNamespace:
        message = (
            "mmcv's compiled operator {!r} was called, but this mmcv has none "
            f"({reason}). Install a compiled mmcv of version 2.0.0rc4 to 2.1.0 to use it"
        )
        return SimpleNamespace(**{f: _raiser(RuntimeError, message.format(f)) for f in funcs})

    load_ext.is_stub = True  # type: ignore[attr-defined]
    ext_loader.load_ext = load_ext
    return True


def stub_mmrazor_quantization() -> bool:
    """Let ``mmrazor.models`` be imported on torch 2.1 and later.

    For mmrazor 1.0.0, whose quantization tables name torch internals that are gone; it then says
    that torch>=1.13 is not installed properly (open-mmlab/mmrazor issues 615 and 632).
    Distillation needs none of these tables, so a stand-in module takes their place; whoever calls
    one of its functions is told.

    Returns:
        True if the stand-in was registered; False if mmrazor's own tables work or were replaced
        before, or if mmrazor is not installed.
    """
    name = "mmrazor.structures.quantization.backend_config"
    if name in sys.modules or importlib.util.find_spec("mmrazor") is None:
        return False
    try:
        importlib.import_module(name)
    except ImportError:
        pass
    else:
        return False

    message = (
        "mmrazor's quantization tables do not work with this version of torch; "
        "quantize the exported model instead"
    )
    stand_in = ModuleType(name, "Stand-in for mmrazor's quantization tables; see lwam_mm.compat.")
    stand_in.BackendConfigs = {}  # type: ignore[attr-defined]
    getters = [
        f"get_{backend}_backend_config{suffix}"
        for backend in ("academic", "native", "openvino", "tensorrt")
        for suffix in ("", "_dict")
    ]
    for getter in getters:
        setattr(stand_in, getter, _raiser(RuntimeError, message))
    stand_in.__all__ = ["BackendConfigs", *getters]  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
    return True


def keep_recursion_limit() -> bool:
    """Import mmrazor's models without the recursion limit that they set for the whole process.

    For mmrazor 1.0.0, which raises it to 2**20 on import (``channel_flow.py``, ``fx_tracer.py``):
    a runaway recursion anywhere then ends the process without a word instead of raising
    RecursionError.

    Returns:
        True if the limit was put back; False if it was left alone or mmrazor is not installed.
    """
    if importlib.util.find_spec("mmrazor") is None:
        return False
    before = sys.getrecursionlimit()
    importlib.import_module("mmrazor.models")
    if sys.getrecursionlimit() == before:
        return False
    sys.setrecursionlimit(before)
    return True


def save_message_hub_as_plain_data() -> bool:
    """Keep mmengine's message hub in tensors and plain values inside a checkpoint.

    For mmengine 0.10.7 under torch 2.6 and later, which cannot load the checkpoints that it
    writes: they pickle HistoryBuffer objects and numpy scalars, which ``weights_only=True``
    refuses (open-mmlab/mmengine issue 1655). The hub is written as plain data and rebuilt on
    loading, so a run resumes with all its history; checkpoints of the stock form, once loaded,
    are still understood.

    Returns:
        True if the two methods were replaced; False if they had been before.
    """
    from mmengine.logging import HistoryBuffer, MessageHub

    if getattr(MessageHub.state_dict, "is_plain", False):
        return False
    stock_state_dict, stock_load_state_dict = MessageHub.state_dict, MessageHub.load_state_dict

    def state_dict(self: MessageHub) -> dict:
        state = stock_state_dict(self)
        return dict(
            log_scalars={
                name: dict(
                    log_history=_plain(buffer.data[0], name),
                    count_history=_plain(buffer.data[1], name),
                    max_length=buffer.max_length,
                )
                for name, buffer in state["log_scalars"].items()
            },
            runtime_info={k: _plain(v, k) for k, v in state["runtime_info"].items()},
            resumed_keys=dict(state["resumed_keys"]),
        )

    def load_state_dict(self: MessageHub, state_dict: dict) -> None:
        if isinstance(state_dict, dict):
            scalars = {
                name: HistoryBuffer(
                    value["log_history"].cpu().numpy(),  # a resume maps all to the GPU
                    value["count_history"].cpu().numpy(),
                    value["max_length"],
                )
                if isinstance(value, dict)
                else value
                for name, value in state_dict["log_scalars"].items()
            }
            state_dict = {**state_dict, "log_scalars": scalars}
        stock_load_state_dict(self, state_dict)

    state_dict.is_plain = True  # type: ignore[attr-defined]
    MessageHub.state_dict = functools.wraps(stock_state_dict)(state_dict)
    MessageHub.load_state_dict = functools.wraps(stock_load_state_dict)(load_state_dict)
    return True


def _plain(value: Any, name: str) -> Any:
    """``value`` in types that ``torch.load(weights_only=True)`` takes."""
    import numpy as np
    import torch

    if value is None or isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.from_numpy(value.copy())
    if isinstance(value, np.ndarray):
        return _plain(value.tolist(), name)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str):
        return str.__str__(value)  # str() of an enum would give its name
    for kind in (bool, int, float, bytes):
        if isinstance(value, kind):
            return kind(value)  # a subclass, such as numpy's or an enum's, becomes the plain type
    if isinstance(value, dict):
        return {_plain(k, name): _plain(v, name) for k, v in value.items()}
    if isinstance(value, list | tuple):
        kind = tuple if isinstance(value, tuple) else list
        return kind(_plain(v, name) for v in value)
    raise TypeError(
        f"runtime information {name!r} holds a {type(value).__module__}.{type(value).__qualname__}"
        ", which a checkpoint cannot hold safely; give it to the message hub as numbers, text, "
        "lists, dicts or tensors, or with resumed=False"
    )


def refuse_unsafe_checkpoints() -> bool:
    """Load local checkpoints with ``weights_only=True`` and explain a refusal.

    For mmengine 0.10.7, whose loader leaves ``weights_only`` to torch's default and passes on a
    page of torch's advice, some of it to switch the safety off (open-mmlab/mmengine pull request
    1650 would do just that).
    ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1``, torch's own switch, remains the explicit way for a
    file that one trusts.

    Returns:
        True if the loader was replaced; False if it had been before.
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
            # weights_only is not passed: from torch 2.6, which setup.py asks for, it is the
            # default, and only as a default does torch's own switch reach it.
            return torch.load(path, map_location=map_location)
        except pickle.UnpicklingError as error:
            reason = error.__context__ or error  # torch wraps it in a page of advice
            if _is_pickle_or_archive(path):
                raise UnsafeCheckpointError(_refusal(path, reason)) from None
            raise UnreadableCheckpointError(_unreadable(path, reason)) from None
        except Exception as error:  # arbitrary bytes have torch's unpickler raise whatever comes
            raise UnreadableCheckpointError(_unreadable(path, error)) from error

    load_local_checkpoint.is_safe = True  # type: ignore[attr-defined]
    CheckpointLoader.register_scheme(prefixes="", loader=load_local_checkpoint, force=True)
    return True


def write_checkpoints_whole() -> bool:
    """Write checkpoints to a file beside their place, which they take once the disk has them.

    For mmengine 0.10.7, which writes a checkpoint in its place: a run that is killed meanwhile, or
    a full disk, leaves half a file, and the one before it may be gone. It also makes the whole
    file in memory first; here it goes to the disk as it is made. Other storage than files is left
    to upstream.

    Returns:
        True if the function was replaced; False if it had been before.
    """
    import mmengine.runner
    import mmengine.runner.checkpoint
    import mmengine.runner.runner
    import torch
    from mmengine.fileio import LocalBackend, get_file_backend

    from lwam_mm.files import replacing

    stock = mmengine.runner.checkpoint.save_checkpoint
    if getattr(stock, "is_whole", False):
        return False

    def save_checkpoint(
        checkpoint: dict,
        filename: str,
        file_client_args: dict | None = None,
        backend_args: dict | None = None,
    ) -> None:
        if file_client_args is not None or filename.startswith("pavi://"):
            stock(checkpoint, filename, file_client_args, backend_args)
            return
        if not isinstance(get_file_backend(filename, backend_args=backend_args), LocalBackend):
            stock(checkpoint, filename, None, backend_args)
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
                f"({cause.strerror or cause}). Earlier ones are as they were. Remedy: free space "
                "there, or give the run another --work-dir with a copy of what is in this one; "
                "then go on with --resume"
            ) from error

    save_checkpoint.is_whole = True  # type: ignore[attr-defined]
    for module in (mmengine.runner, mmengine.runner.checkpoint, mmengine.runner.runner):
        module.save_checkpoint = functools.wraps(stock)(save_checkpoint)
    return True


def format_configs_once() -> bool:
    """Remember the formatted text of a config.

    For mmengine 0.10.7, which has yapf format the same config anew for every checkpoint: that
    takes longer than to write the file.

    Returns:
        True if the function was replaced; False if it had been before.
    """
    import mmengine.config.config as module

    stock = module.FormatCode
    if getattr(stock, "remembers", False):
        return False
    known: dict[str, Any] = {}

    def format_code(text: str, **options: Any) -> Any:
        key = f"{text}\n{options}"
        if key not in known:
            if len(known) >= 16:
                known.clear()
            known[key] = stock(text, **options)
        return known[key]

    format_code.remembers = True  # type: ignore[attr-defined]
    module.FormatCode = functools.wraps(stock)(format_code)
    return True


def start_processes_without_gpu() -> bool:
    """Let the processes of a training find each other where there is no GPU.

    For mmengine 0.10.7, whose ``init_dist`` gives each process a GPU of its own whatever the
    backend; torch then has none to give, and fails.

    Returns:
        True if the function was replaced; False if it had been before.
    """
    import mmengine.dist
    import mmengine.dist.utils
    import mmengine.runner.runner
    import torch

    stock = mmengine.dist.utils.init_dist
    if getattr(stock, "does_without_gpu", False):
        return False

    def init_dist(launcher: str, *args: Any, **kwargs: Any) -> None:
        set_device = torch.cuda.set_device
        if not torch.cuda.is_available():
            torch.cuda.set_device = lambda device: None
        try:
            stock(launcher, *args, **kwargs)
        finally:
            torch.cuda.set_device = set_device

    init_dist.does_without_gpu = True  # type: ignore[attr-defined]
    for module in (mmengine.dist, mmengine.dist.utils, mmengine.runner.runner):
        module.init_dist = functools.wraps(stock)(init_dist)
    return True


def _cause_on_disk(error: BaseException | None) -> OSError | None:
    """Find the system's error behind torch's, which complains of a position in the file."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _first_sentence(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return re.split(r"\n|\. (?=[A-Z])", text)[0].rstrip(".")


def _is_pickle_or_archive(path: Path) -> bool:
    """Whether the file begins as one that can run code, and not as a web page, say."""
    with path.open("rb") as file:
        return file.read(4).startswith((b"\x80", b"PK\x03\x04"))


def _unreadable(path: Path, error: BaseException) -> str:
    # Arbitrary bytes make errors whose words alone say nothing: "KeyError: 174812789".
    return (
        f"{path}: not a readable checkpoint ({type(error).__name__}: {_first_sentence(error)}). "
        "It may be cut off or of another format; use an earlier checkpoint or copy the file again"
    )


def _refusal(path: Path, error: BaseException) -> str:
    return (
        f"{path}: refused, because it is not made of tensors and plain values alone and loading "
        f"it could run code ({_first_sentence(error)}). If you trust the file, set "
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 for this one command; then save its weights alone"
    )


_ABOUT_UPSTREAM = (
    # mmseg 1.2.2 calls its own deprecated function in every decode head.
    (r"``build_loss`` would be deprecated soon", UserWarning),
    # mmseg 1.2.2 says so whenever pictures are not asked for.
    (r"The draw is False, it means that the hook for visualization", UserWarning),
)


def ignore_warnings_about_upstream() -> bool:
    """Ignore warnings by which upstream packages tell themselves off, one by one.

    For mmengine 0.10.7, mmsegmentation 1.2.2 and mmdeploy 1.3.1; each is listed with its reason.
    All other warnings pass.

    Returns:
        True; a filter that is there already is not doubled.
    """
    for message, category in _ABOUT_UPSTREAM:
        warnings.filterwarnings("ignore", message=message, category=category)
    return True


def export_by_torchscript() -> bool:
    """Export to ONNX by torch's TorchScript exporter while mmdeploy is exporting.

    For mmdeploy 1.3.1 under torch 2.9 and later, where ``torch.onnx.export`` became the dynamo
    exporter (its release notes), which mmdeploy's rewriters do not fit: a KeyError, or a missing
    onnxscript. mmdeploy's own rewriter does the work, so torch is left as it is everywhere else.

    Returns:
        True if the rewriter was registered; False if torch knows no dynamo exporter, or if it had
        been before.
    """
    import torch
    from mmdeploy.core import FUNCTION_REWRITER

    name = "torch.onnx.export"
    if "dynamo" not in inspect.signature(torch.onnx.export).parameters:
        return False
    if name in FUNCTION_REWRITER._registry._rewrite_records:
        return False

    @FUNCTION_REWRITER.register_rewriter(func_name=name)
    def onnx_export__torchscript(*args: Any, **kwargs: Any) -> Any:
        export = FUNCTION_REWRITER.get_context().origin_func
        return export(*args, **{**kwargs, "dynamo": False})

    return True
