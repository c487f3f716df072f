"""The runs of a study: their order, folders and configs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from lwam_mm.engine.launch import load_config
from lwam_mm.lab.studies.study import Arm, Study, StudyError

_NORMALISATION = ("mean", "std", "pad_val", "bgr_to_rgb", "rgb_to_bgr")


@dataclass(frozen=True, eq=False)
class Run:
    """One training of one arm, below ``root``, the folder of all studies' folders.

    Runs with the same folder are equal, in whatever study.
    """

    arm: Arm
    seed: int
    root: Path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.folder == other.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    @property
    def name(self) -> str:
        """Study, arm and seed, for messages."""
        return f"{self.arm.study.name}/{self.arm.original}/seed-{self.seed}"

    @property
    def folder(self) -> Path:
        """The folder of its log, checkpoints and result."""
        return self.root / self.name

    @property
    def config_file(self) -> Path:
        """The config that is trained; mmengine puts its own copy into the folder."""
        return self.folder.with_suffix(".py")

    @property
    def result_file(self) -> Path:
        """A file that exists once the run is finished."""
        return self.folder / "result.json"

    @property
    def attempts_file(self) -> Path:
        """The commit, command and duration of each start; it exists once the run has begun."""
        return self.folder / "pieces.json"

    @property
    def failure_file(self) -> Path:
        """The message of the last attempt, if it failed."""
        return self.folder / "failure.txt"

    @property
    def teacher(self) -> Run | None:
        """The run that must be finished before this one starts."""
        if self.arm.teacher is None:
            return None
        seed = self.seed if self.arm.teacher_seed is None else self.arm.teacher_seed
        return Run(self.arm.study.arms[self.arm.teacher], seed, self.root)


def runs_of(
    study: Study,
    root: str | Path,
    *,
    arms: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
) -> list[Run]:
    """List a study's runs, or those of some arms or seeds, so that every arm soon has its first.

    Raises:
        StudyError: If there is no such arm.
    """
    names = list(dict.fromkeys(study.arms if arms is None else arms))
    if unknown := [name for name in names if name not in study.arms]:
        raise StudyError(
            f"{study.path}: no arm {', '.join(unknown)}; it has {', '.join(study.arms)}"
        )
    seeds = study.seeds if seeds is None else seeds
    return [Run(study.arms[name], seed, Path(root)) for seed in seeds for name in names]


def with_teachers(runs: Sequence[Run]) -> list[Run]:
    """Add the teachers' runs, each once and before the first run that needs it."""
    needed = [each for run in runs for each in (run.teacher, run) if each is not None]
    return list(dict.fromkeys(needed))


def config_of(
    run: Run,
    teacher_checkpoint: Path | None = None,
    *,
    data_root: str | None = None,
    options: dict[str, Any] | None = None,
) -> Config:
    """Build the config of a run; ``options`` are further values by dotted key.

    Raises:
        StudyError: If the key of an override does not exist, or an arm with a teacher is no
            distillation.
    """
    arm = run.arm
    config = load_config(arm.config, work_dir=run.folder, data_root=data_root)
    where = f"{arm.study.path}: arm {arm.original!r}"
    if run.teacher is not None:
        if "teacher" not in config.model:
            raise StudyError(
                f"{where}: has a teacher, but {arm.config} is no distillation (its model has no "
                "teacher)"
            )
        config.model.teacher = config_of(run.teacher).model.to_dict()
        config.model.teacher_ckpt = None if teacher_checkpoint is None else str(teacher_checkpoint)
    override(config, arm.remove, arm.overrides, where)
    if run.teacher is not None:
        models = (config.model.teacher, config.model)
        own, shared = (model.get("data_preprocessor") or {} for model in models)
        # The teacher sees its student's images; the distillation must know another normalisation.
        if all(own.get(key) == shared.get(key) for key in _NORMALISATION):
            config.model.teacher.pop("data_preprocessor", None)
    if options:
        config.merge_from_dict(copy.deepcopy(options))
    config.merge_from_dict({"randomness.seed": run.seed})
    return config


def override(
    config: Config, remove: Sequence[str], overrides: Mapping[str, Any], where: str
) -> None:
    """Change a config in place: first remove keys, then set values.

    Unlike mmengine's merging, a dict replaces the dict that is there. A whole number in a dotted
    key is an index into a list; the last part of a key to set may be new in a dict.

    Raises:
        StudyError: If a key does not exist; the message begins with ``where``.
    """
    for key in remove:
        node, last = _find(config, key, f"{where}: remove {key!r}", new=False)
        del node[last]
    for key, value in overrides.items():
        node, last = _find(config, key, f"{where}: override {key!r}", new=True)
        node[last] = copy.deepcopy(value)


def _find(config: Config, key: str, where: str, *, new: bool) -> tuple[Any, str | int]:
    """Return the dict or list that holds the last part of a key, and that part."""
    node: Any = config
    parts = key.split(".")
    for at, part in enumerate(parts):
        is_last = at == len(parts) - 1
        if isinstance(node, list):
            if not (part.isdigit() and int(part) < len(node)):
                raise StudyError(f"{where}: there is no {part}; it is a list of {len(node)}")
            part = int(part)
        elif not isinstance(node, dict | Config):
            raise StudyError(f"{where}: {'.'.join(parts[:at])} is {node!r}, which has no keys")
        elif part not in node and not (new and is_last):
            raise StudyError(f"{where}: there is no {part!r}; there is {list(node.keys())}")
        if is_last:
            return node, part
        node = node[part]
