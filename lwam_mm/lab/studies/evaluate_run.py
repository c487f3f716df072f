"""Judge a finished run: ``python -m lwam_mm.lab.studies.evaluate_run``, a process of its own."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.distill.extract_student import extract_student
from lwam_mm.engine.launch import evaluate, load_config, run_tool
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError

_STUDENT = "student.pth"


class UnfinishedRunError(UserError):
    """A run has no checkpoint to judge yet."""


def checkpoint_of(folder: Path, which: str) -> Path:
    """Find a run's checkpoint.

    Args:
        folder: the run's folder.
        which: ``"last"``, or ``"best"`` by validation.

    Raises:
        UnfinishedRunError: there is none.
    """
    if which == "last":
        named = folder / "last_checkpoint"
        path = folder / Path(named.read_text().strip()).name if named.is_file() else None
    else:
        path = max(folder.glob("best_*.pth"), key=_when, default=None)
    if path is None or not path.is_file():
        raise UnfinishedRunError(
            f"{folder}: has no {which} checkpoint; let the training validate and save one "
            "(train_cfg.val_interval, default_hooks.checkpoint)"
        )
    return path


def judge(config_file: Path, folder: Path, which: str, evaluators: Sequence[dict]) -> dict:
    """Evaluate a run's net as it would be used: the student alone, and folded.

    Args:
        config_file: the config as run.
        folder: the run's folder; the student of a distillation is written there.
        which: the checkpoint, ``"last"`` or ``"best"``.
        evaluators: metrics beside the config's own.

    Returns:
        ``checkpoint`` (name of its file), ``best_epoch`` (the validation that was best; iteration
        where training counts these; None if not known), ``parameters`` (of the net that was
        evaluated, its auxiliary heads left out) and ``metrics``.

    Raises:
        UnfinishedRunError: training ended early, or there is no checkpoint.
    """
    config = load_config(config_file, work_dir=folder / "evaluation")
    checkpoint = weights = checkpoint_of(folder, which)
    if which == "last":
        _require_whole(config.train_cfg, config.get("default_hooks", {}), checkpoint)
    if "architecture" in config.model:
        weights = folder / _STUDENT
        extract_student(checkpoint, weights)
        config.model = config.model.architecture
    own = config.test_evaluator
    own = own if isinstance(own, list) else [own]
    config.test_evaluator = [*own, *(dict(e) for e in evaluators if e["type"] not in str(own))]
    metrics = evaluate(config, weights, fold=True)
    best = max((_when(path) for path in folder.glob("best_*.pth")), default=None)
    return dict(
        checkpoint=checkpoint.name,
        best_epoch=best,
        parameters=_count(config.model),
        metrics={name: float(value) for name, value in metrics.items()},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Judge CONFIG FOLDER last|best and write METRICS.json; the last argument is JSON."""
    config, folder, which, out, evaluators = sys.argv[1:] if argv is None else argv
    found = judge(Path(config), Path(folder), which, json.loads(evaluators))
    write_atomically(out, (json.dumps(found, indent=2) + "\n").encode())
    return 0


def _when(checkpoint: Path) -> int:
    """Give the epoch or iteration in a checkpoint's name."""
    number = re.search(r"_(\d+)$", checkpoint.stem)
    return int(number[1]) if number else -1


def _require_whole(train_cfg: dict, hooks: dict, checkpoint: Path) -> None:
    """Refuse a training that was asked to stop: it may have ended without an error."""
    epochs, iterations = train_cfg.get("max_epochs"), train_cfg.get("max_iters")
    end = f"epoch_{epochs}.pth" if epochs else f"iter_{iterations}.pth"
    early = any("EarlyStopping" in str(hook.get("type")) for hook in hooks.values())
    if not early and checkpoint.name != end:
        raise UnfinishedRunError(
            f"training stopped at {checkpoint.name}, before {end}; go on with --resume"
        )


def _count(model: dict) -> int:
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    from lwam_mm.models.reparam.fold import reparameterize

    init_default_scope("mmseg")
    net = reparameterize(MODELS.build(model).eval(), inplace=True)
    return sum(
        value.numel()
        for name, value in net.named_parameters()
        if not name.startswith("auxiliary_head.")
    )


if __name__ == "__main__":
    run_tool(main)
