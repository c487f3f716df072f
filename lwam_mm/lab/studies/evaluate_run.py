"""Evaluate a finished run, in a process: ``python -m lwam_mm.lab.studies.evaluate_run``.

Its arguments are CONFIG FOLDER last|best METRICS.json EVALUATORS, the last one as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.distill.extract_student import extract_student
from lwam_mm.engine.launch import evaluate, load_config, run_tool
from lwam_mm.lab.studies.study import StudyError
from lwam_mm.utils.atomic_files import write_json


def checkpoint_of(folder: Path, which: str) -> Path:
    """Find the checkpoint of a run's folder, ``"last"`` or ``"best"`` by validation.

    Raises:
        StudyError: If there is none.
    """
    if which == "last":
        pointer = folder / "last_checkpoint"
        path = folder / Path(pointer.read_text().strip()).name if pointer.is_file() else None
    else:
        path = max(folder.glob("best_*.pth"), key=_progress, default=None)
    if path is None or not path.is_file():
        raise StudyError(
            f"{folder}: has no {which} checkpoint; let the training validate and save one "
            "(train_cfg.val_interval, default_hooks.checkpoint)"
        )
    return path


def evaluate_run(
    config_file: Path, folder: Path, which: str, evaluators: Sequence[dict]
) -> dict[str, object]:
    """Evaluate a run's net as it is deployed: the student alone, and folded.

    ``evaluators`` are metrics besides the config's own. The student of a distillation is written to
    the run's folder.

    Returns:
        ``checkpoint`` (its file's name), ``best_epoch`` (of the best validation; the iteration if
        training counts iterations; None if unknown), ``parameters`` (of the evaluated net without
        auxiliary heads) and ``metrics``.

    Raises:
        StudyError: If training ended early, or there is no checkpoint.
    """
    config = load_config(config_file, work_dir=folder / "evaluation")
    checkpoint = weights = checkpoint_of(folder, which)
    if which == "last":
        _require_finished(config.train_cfg, config.get("default_hooks", {}), checkpoint)
    if "architecture" in config.model:
        weights = folder / "student.pth"
        extract_student(checkpoint, weights)
        config.model = config.model.architecture
    own = config.test_evaluator
    own = own if isinstance(own, list) else [own]
    config.test_evaluator = [*own, *(dict(e) for e in evaluators if e["type"] not in str(own))]
    metrics = evaluate(config, weights, fold=True)
    return dict(
        checkpoint=checkpoint.name,
        best_epoch=max(map(_progress, folder.glob("best_*.pth")), default=None),
        parameters=_count_parameters(config.model),
        metrics={name: float(value) for name, value in metrics.items()},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate a run and write its metrics."""
    config, folder, which, out, evaluators = sys.argv[1:] if argv is None else argv
    write_json(out, evaluate_run(Path(config), Path(folder), which, json.loads(evaluators)))
    return 0


def _progress(checkpoint: Path) -> int:
    """Return the epoch or iteration in a checkpoint's name."""
    number = re.search(r"_(\d+)$", checkpoint.stem)
    return int(number[1]) if number else -1


def _require_finished(train_cfg: dict, hooks: dict, checkpoint: Path) -> None:
    """Refuse a training that was told to stop, which may end without an error."""
    epochs, iterations = train_cfg.get("max_epochs"), train_cfg.get("max_iters")
    end = f"epoch_{epochs}.pth" if epochs else f"iter_{iterations}.pth"
    early_stopping = any("EarlyStopping" in str(hook.get("type")) for hook in hooks.values())
    if not early_stopping and checkpoint.name != end:
        raise StudyError(
            f"training stopped at {checkpoint.name}, before {end}; continue with --resume"
        )


def _count_parameters(model: dict) -> int:
    from mmseg.registry import MODELS

    from lwam_mm.models.reparam.fold import reparameterize

    model = {key: value for key, value in model.items() if key != "auxiliary_head"}
    net = reparameterize(MODELS.build(model).eval(), inplace=True)
    return sum(parameter.numel() for parameter in net.parameters())


if __name__ == "__main__":
    run_tool(main)
