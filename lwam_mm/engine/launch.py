"""Load a config, train, evaluate: what tools/train.py and tools/test.py do."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.device import is_cuda_available
from mmengine.dist import is_distributed, is_main_process
from mmengine.runner import CheckpointLoader

from lwam_mm.datasets.splits import datasets_in, is_wrapper
from lwam_mm.engine.hooks.prediction_pictures_hook import use_prediction_pictures
from lwam_mm.engine.hooks.strict_checkpoint_hook import NEEDED_TO_RESUME
from lwam_mm.engine.runners.concise_runner import ConciseRunner
from lwam_mm.engine.runners.resumable_runner import ResumableRunner, resumable_checkpoints
from lwam_mm.models.reparam.fold import reparameterize
from lwam_mm.utils.atomic_files import write_json
from lwam_mm.utils.errors import ConfigError, UserError
from lwam_mm.version import __version__

EXPECTED_ERRORS = (UserError, FileExistsError, FileNotFoundError)
"""Errors that :func:`run_tool` prints without a traceback: their message is enough."""


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
    # torchrun passes the rank in the environment, older launchers as an argument.
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)


def add_data_root_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--data-root``, the folder of the data set."""
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
    """Read a config and apply the arguments of the command line.

    Args:
        path: The config file.
        work_dir: Folder for logs and results. None takes the config's ``work_dir``, or
            ``work_dirs/NAME`` if it has none.
        data_root: Folder of the data set for training, validation and test; None keeps the
            config's.
        options: Overrides as a mapping of dotted keys to values. They are applied last.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        accept_mismatch: Warn instead of refusing a checkpoint that was trained otherwise.

    Returns:
        The config, ready for a runner.

    Raises:
        FileNotFoundError: There is no such file.
        ConfigError: ``data_root`` is given, and a data loader joins several data sets.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such config file; see the folder configs/")
    config = Config.fromfile(path)
    if data_root is not None:
        _set_data_root(config, str(data_root))
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


def _set_data_root(config: Config, data_root: str) -> None:
    for side in ("train", "val", "test"):
        loader = config.get(f"{side}_dataloader")
        found = datasets_in(loader.dataset, "") if loader else []
        datasets = [dataset for _, dataset in found if not is_wrapper(dataset)]
        if len(datasets) > 1:
            raise ConfigError(
                f"--data-root names one folder, but {side}_dataloader joins {len(datasets)} data "
                "sets: set the data_root of each in the config"
            )
        for dataset in datasets:
            dataset.data_root = data_root


def enable_amp(config: Config) -> None:
    """Set a config to automatic mixed precision: float16 on a GPU, bfloat16 on a CPU.

    Raises:
        ConfigError: The config's optimizer wrapper supports neither.
    """
    wrapper = config.optim_wrapper.get("type", "OptimWrapper")
    if wrapper == "Bfloat16OptimWrapper":
        return
    if wrapper not in ("OptimWrapper", "AmpOptimWrapper"):
        raise ConfigError(
            f"--amp does not work with optim_wrapper.type={wrapper!r}; use OptimWrapper in "
            "the config"
        )
    if not is_cuda_available():
        config.optim_wrapper.type = "Bfloat16OptimWrapper"
        return
    config.optim_wrapper.type = "AmpOptimWrapper"
    config.optim_wrapper.setdefault("loss_scale", "dynamic")


def enable_tensorboard(config: Config) -> None:
    """Set a config to write its scalars for TensorBoard as well."""
    backends = config.visualizer.vis_backends
    if not any(backend["type"] == "TensorboardVisBackend" for backend in backends):
        backends.append(dict(type="TensorboardVisBackend"))


def train(config: Config) -> Path | None:
    """Train or distil a model as its config says.

    A training that is to be resumed goes on from the newest checkpoint of its work dir, unless
    ``load_from`` names another one there. If there is none yet, it goes on from ``load_from`` if
    that holds all that a training needs, and begins with its weights if it holds these alone.

    Returns:
        The best checkpoint by validation, else the last; None if none was kept.

    Raises:
        SystemExit: The process received SIGTERM. The run is saved and can be resumed.
    """
    if config.get("resume") and config.get("load_from"):
        _begin_or_resume(config)
    runner = ResumableRunner.from_cfg(config)
    runner.train()
    kept = runner.message_hub.runtime_info
    path = kept.get("best_ckpt") or kept.get("last_ckpt")
    return Path(path) if path else None


def _begin_or_resume(config: Config) -> None:
    # mmengine would go on from load_from in each case.
    named = Path(config.load_from)
    if named.is_file() and named.resolve().parent == Path(config.work_dir).resolve():
        return
    if resumable_checkpoints(config.work_dir):
        config.load_from = None
    else:
        checkpoint = CheckpointLoader.load_checkpoint(config.load_from, map_location="cpu")
        config.resume = all(name in checkpoint for name in NEEDED_TO_RESUME)


def evaluate(config: Config, checkpoint: str | Path, *, fold: bool = False) -> dict[str, float]:
    """Evaluate a checkpoint on the config's test set.

    Args:
        config: Config of a segmentor or of a distillation.
        checkpoint: Checkpoint of that config's model.
        fold: Re-parameterize the model's blocks before testing.

    Returns:
        The metrics by name, in percent.

    Raises:
        CheckpointMismatchError: The checkpoint does not fit the config's model.
    """
    config.load_from = str(checkpoint)
    use_prediction_pictures(config)
    runner = ConciseRunner.from_cfg(config)
    if fold:
        runner.load_or_resume()  # runner.test() does not load again
        runner.model.eval()
        reparameterize(runner.model, inplace=True)
    return runner.test()


def write_metrics(
    path: str | Path, metrics: dict[str, float], *, config: str, checkpoint: str, folded: bool
) -> None:
    """Write the metrics of a test as JSON, atomically and on the main process only."""
    if not is_main_process():
        return
    found = dict(
        config=config,
        checkpoint=checkpoint,
        folded=folded,
        lwam_mm=__version__,
        metrics={name: float(value) for name, value in metrics.items()},
    )
    write_json(path, found)


def show_predictions(config: Config, folder: str | Path) -> None:
    """Set a config to draw the prediction over each test image, into ``folder``."""
    config.default_hooks.visualization.update(draw=True, interval=1)
    config.visualizer.save_dir = str(folder)


def run_tool(tool: Callable[[Sequence[str] | None], int]) -> None:
    """Run a tool's ``main`` and exit; an expected error becomes a message and exit status 1."""
    try:
        status = tool(None)
        # Not after an error: over nccl it would wait for processes that may have ended.
        if is_distributed():
            torch.distributed.destroy_process_group()
        sys.exit(status)
    except EXPECTED_ERRORS as error:
        message = str(error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # Checkpoints have an error class for this; here it is a log, for example.
        message = (
            f"{error.filename or 'a file'} could not be written ({error.strerror}). Remedy: free "
            "space on that disk, then continue a training with --resume"
        )
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
