"""What tools/train.py and tools/test.py do once their arguments are parsed."""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.device import is_cuda_available
from mmengine.dist import is_main_process

from lwam_mm.engine.runners.concise_runner import ConciseRunner
from lwam_mm.engine.runners.resumable_runner import ResumableRunner
from lwam_mm.models.reparam.fold import reparameterize
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError
from lwam_mm.version import __version__

EXPECTED_ERRORS = (UserError, FileExistsError, FileNotFoundError)
"""Errors whose message says all that a user needs; a traceback would only bury it."""


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that training and testing share."""
    parser.add_argument("--work-dir", help="folder for logs and results (work_dirs/CONFIG)")
    add_data_root_argument(parser)
    add_accept_mismatch_argument(parser)
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        metavar="KEY=VALUE",
        help="override settings of the config, for instance train_dataloader.batch_size=2",
    )
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm", "mpi"],
        default="none",
        help="job launcher",
    )
    # torchrun hands the rank over in the environment, older launchers as an argument.
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)


def add_data_root_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument that says where the data set is."""
    parser.add_argument("--data-root", help="folder of the data set, in place of the config's")


def add_accept_mismatch_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument that lets a checkpoint pass which was trained otherwise."""
    parser.add_argument(
        "--accept-mismatch",
        action="store_true",
        help="go on, with a warning, if the checkpoint was trained with other classes, colours or "
        "preprocessing than the config says",
    )


def load_config(
    path: str | Path,
    *,
    work_dir: str | Path | None = None,
    data_root: str | Path | None = None,
    options: dict[str, Any] | None = None,
    launcher: str = "none",
    accept_mismatch: bool = False,
) -> Config:
    """Read a config and settle where its results go.

    Args:
        path: the config file.
        work_dir: folder for logs and results; the config's own, or ``work_dirs/NAME`` if None.
        data_root: folder of the data set for training, validation and test; the config's if None.
        options: overrides, dotted keys to values.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        accept_mismatch: Warn instead of refusing a checkpoint that was trained otherwise.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such config file; see the folder configs/")
    config = Config.fromfile(path)
    if data_root is not None:
        for side in ("train", "val", "test"):
            config[f"{side}_dataloader"].dataset.data_root = str(data_root)
    if options:
        config.merge_from_dict(options)
    config.launcher = launcher
    if accept_mismatch:
        config.accept_mismatch = True
        if config.model.get("type") == "FrozenTeacherDistill":
            config.model.accept_mismatch = True
    if work_dir is not None:
        config.work_dir = str(work_dir)
    elif config.get("work_dir") is None:
        config.work_dir = str(Path("work_dirs") / Path(path).stem)
    return config


def enable_amp(config: Config) -> None:
    """Train in automatic mixed precision: float16 on a GPU, bfloat16 on a processor.

    Raises:
        ValueError: the config's optimizer wrapper is neither the plain nor the AMP one.
    """
    wrapper = config.optim_wrapper.get("type", "OptimWrapper")
    if wrapper == "Bfloat16OptimWrapper":
        return
    if wrapper not in ("OptimWrapper", "AmpOptimWrapper"):
        raise ValueError(
            f"--amp does not go with optim_wrapper.type={wrapper!r}; use OptimWrapper in the config"
        )
    if not is_cuda_available():
        config.optim_wrapper.type = "Bfloat16OptimWrapper"
        return
    config.optim_wrapper.type = "AmpOptimWrapper"
    config.optim_wrapper.setdefault("loss_scale", "dynamic")


def enable_tensorboard(config: Config) -> None:
    """Have a training write its scalars for TensorBoard, too, beside its logs."""
    backends = config.visualizer.vis_backends
    if not any(backend["type"] == "TensorboardVisBackend" for backend in backends):
        backends.append(dict(type="TensorboardVisBackend"))


def train(config: Config) -> Path | None:
    """Train or distil as the config says.

    Returns:
        The checkpoint to use: the best by validation, else the last; None if none was kept.

    Raises:
        SystemExit: the process was told to end (SIGTERM); the run is saved and can be resumed.
    """
    runner = ResumableRunner.from_cfg(config)
    runner.train()
    kept = runner.message_hub.runtime_info
    path = kept.get("best_ckpt") or kept.get("last_ckpt")
    return Path(path) if path else None


def evaluate(config: Config, checkpoint: str | Path, *, fold: bool = False) -> dict[str, float]:
    """Evaluate a checkpoint on the config's test set.

    Args:
        config: a segmentor's config, or a distillation's with a checkpoint of its own.
        checkpoint: the weights.
        fold: fold the student's blocks before testing.

    Returns:
        The metrics by name, in percent.

    Raises:
        CheckpointMismatchError: the checkpoint does not fit the config's model.
    """
    config.load_from = str(checkpoint)
    runner = ConciseRunner.from_cfg(config)
    if fold:
        runner.load_or_resume()  # runner.test() finds it done
        runner.model.eval()
        reparameterize(runner.model, inplace=True)
    return runner.test()


def write_metrics(
    path: str | Path, metrics: dict[str, float], *, config: str, checkpoint: str, folded: bool
) -> None:
    """Write what a test found as JSON, on the main process, whole or not at all."""
    if not is_main_process():
        return
    found = dict(
        config=config,
        checkpoint=checkpoint,
        folded=folded,
        lwam_mm=__version__,
        metrics={name: float(value) for name, value in metrics.items()},
    )
    write_atomically(path, (json.dumps(found, indent=2) + "\n").encode("utf-8"))


def show_predictions(config: Config, folder: str | Path) -> None:
    """Have a test draw each image's prediction over it, into ``folder``."""
    config.default_hooks.visualization.update(draw=True, interval=1)
    config.visualizer.save_dir = str(folder)


def run_tool(tool: Callable[[Sequence[str] | None], int]) -> None:
    """Run a tool's ``main``; an expected error becomes one message and exit status 1."""
    try:
        sys.exit(tool(None))
    except EXPECTED_ERRORS as error:
        message = str(error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # Checkpoints say so themselves; this is a log, say, which fills the disk as well.
        message = (
            f"{error.filename or 'a file'} could not be written ({error.strerror}). Remedy: free "
            "space on that disk; a training then goes on with --resume"
        )
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
