"""The runs of a study: which, in which order, in which folders, with which configs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from lwam_mm.engine.launch import load_config
from lwam_mm.lab.studies.overrides import override
from lwam_mm.lab.studies.study import Arm, Study, StudyError


@dataclass(frozen=True, eq=False)
class Run:
    """One training of one arm. Runs of one folder are the same, in whatever study they are named.

    Attributes:
        arm: the arm.
        seed: its seed.
        root: the folder of all studies' folders.
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
        """Where its log, checkpoints and result go."""
        return self.root / self.arm.study.name / self.arm.original / f"seed-{self.seed}"

    @property
    def config_file(self) -> Path:
        """The config as run; mmengine puts its own copy into the folder."""
        return self.folder.with_suffix(".py")

    @property
    def result_file(self) -> Path:
        """What is there once the run is finished, and only then."""
        return self.folder / "result.json"

    @property
    def teacher(self) -> Run | None:
        """The run that has to be finished before this one starts."""
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
    """List a study's runs, seed by seed, so that every arm soon has its first.

    Args:
        study: the study.
        root: folder of all studies' folders.
        arms: some of its arms; all if None.
        seeds: seeds in place of the study's.

    Raises:
        StudyError: there is no such arm.
    """
    names = list(study.arms) if arms is None else list(dict.fromkeys(arms))
    unknown = [name for name in names if name not in study.arms]
    if unknown:
        raise StudyError(
            f"{study.path}: no arm {', '.join(unknown)}; it has {', '.join(study.arms)}"
        )
    seeds = study.seeds if seeds is None else seeds
    return [Run(study.arms[name], seed, Path(root)) for seed in seeds for name in names]


def with_teachers(runs: Sequence[Run]) -> list[Run]:
    """Add the runs that others need, each before the first that needs it, and none twice."""
    needed = [each for run in runs for each in (run.teacher, run) if each is not None]
    return list(dict.fromkeys(needed))


def config_of(
    run: Run,
    teacher_checkpoint: Path | None = None,
    *,
    data_root: str | None = None,
    options: dict[str, Any] | None = None,
) -> Config:
    """Build the config of a run.

    Args:
        run: the run.
        teacher_checkpoint: the teacher's weights, if the arm has a teacher and they exist.
        data_root: folder of the data set; the config's if None.
        options: further dotted keys to values, as tools/train.py takes them.

    Raises:
        StudyError: an override leads nowhere, or the arm with a teacher is no distillation.
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
        config.model.teacher = _network(run.teacher)
        config.model.teacher_ckpt = None if teacher_checkpoint is None else str(teacher_checkpoint)
    override(config, arm.remove, arm.overrides, where)
    if options:
        config.merge_from_dict(copy.deepcopy(options))
    config.merge_from_dict({"randomness.seed": run.seed})
    return config


def _network(teacher: Run) -> dict:
    """Give a teacher as a distillation holds it: it sees the images as its student does."""
    model = config_of(teacher).model.to_dict()
    model.pop("data_preprocessor", None)
    return model
