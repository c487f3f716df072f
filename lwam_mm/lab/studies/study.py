"""Reading and checking a study's file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder

_METRICS = ("mIoU", "RegionRecall10", "RegionRecall50", "FalseRegions10", "FalseRegions50")
_REQUIRED = ("title", "arms", "seeds", "compare_with")
_DEFAULTS = dict(
    base=None,
    metrics=_METRICS,
    checkpoint="last",
    amp=False,
    evaluators=(dict(type="RegionMetric"),),
)
_ALLOWED = dict(checkpoint=["last", "best"], amp=[False, True])
_ARM_KEYS = ("config", "overrides", "remove", "teacher", "teacher_seed", "study", "arm")


class StudyError(UserError):
    """A study's file, the state of its runs or its results do not allow what was asked."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One of the trainings that a study compares."""

    name: str  # in the study that was read
    study: Study = field(repr=False)  # which its runs belong to; another one if the arm is shared
    original: str  # its name in that study
    config: Path
    overrides: Mapping[str, Any]
    remove: Sequence[str]
    teacher: str | None  # the arm of that study that teaches it
    teacher_seed: int | None  # None for the run's own


@dataclass(frozen=True)
class Study:
    """The contents of a study's file; :mod:`lwam_mm.lab.studies` explains its keys."""

    path: Path
    title: str
    arms: dict[str, Arm]
    seeds: tuple[int, ...]
    compare_with: str
    metrics: tuple[str, ...]
    checkpoint: str
    amp: bool
    evaluators: tuple[dict, ...]

    @property
    def name(self) -> str:
        """Name of the study's folder and of its results."""
        return self.path.stem


def read_study(path: str | Path) -> Study:
    """Read a study, and the studies whose arms it shares.

    Raises:
        FileNotFoundError: If there is no such file.
        StudyError: If a key is unknown or missing, or a name, path or value is wrong.
    """
    study = _read(Path(path), shared=False)
    if study.compare_with not in study.arms:
        raise StudyError(
            f"{path}: compare_with={study.compare_with!r} is no arm; use one of {list(study.arms)}"
        )
    return study


def display_path(path: Path) -> str:
    """Return the path of a study or config as results name it: configs/..., or relative."""
    path, configs = path.resolve(), configs_folder().resolve()
    folder = configs.parent if path.is_relative_to(configs) else Path.cwd().resolve()
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _read(path: Path, *, shared: bool) -> Study:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such study; see configs/ablations/")
    contents = Config.fromfile(path, import_custom_modules=False).to_dict()
    contents = {key: value for key, value in contents.items() if not key.startswith("_")}
    _check_keys(contents, (*_REQUIRED, *_DEFAULTS), f"{path}")
    for key in _REQUIRED:
        if not contents.get(key):
            raise StudyError(f"{path}: {key} is missing; see the docstring of lwam_mm.lab.studies")
    contents = _DEFAULTS | contents
    for key, allowed in _ALLOWED.items():
        if contents[key] not in allowed:
            raise StudyError(f"{path}: {key}={contents[key]!r}: use one of {allowed}")
    if any(not isinstance(seed, int) for seed in contents["seeds"]):
        raise StudyError(f"{path}: seeds={contents['seeds']}: use whole numbers")
    arms, base = contents.pop("arms"), contents.pop("base")
    for key in ("metrics", "evaluators"):
        contents[key] = tuple(contents[key])
    contents["seeds"] = tuple(dict.fromkeys(contents["seeds"]))
    study = Study(path, arms={}, **contents)
    for name, arm in arms.items():
        # Arms that a sharing study shares itself cannot be shared again.
        if not (shared and "study" in arm):
            study.arms[name] = _arm(study, name, arm, base)
    for arm in study.arms.values():
        _check_teacher(arm, f"{path}: arm {arm.name!r}")
    return study


def _arm(study: Study, name: str, keys: dict, base: str | None) -> Arm:
    where = f"{study.path}: arm {name!r}"
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise StudyError(f"{where}: use letters, digits and + - _ . only; it names a folder")
    _check_keys(keys, _ARM_KEYS, where)
    if "study" in keys:
        return _shared_arm(study, name, keys, where)
    config = keys.get("config", base)
    if config is None:
        raise StudyError(f"{where}: has no config, and the study has no base")
    path = study.path.parent / config
    if not path.is_file():
        raise StudyError(f"{where}: {config}: there is no such config; it is relative to the study")
    return Arm(
        name,
        study,
        original=name,
        config=path,
        overrides=keys.get("overrides", {}),
        remove=keys.get("remove", ()),
        teacher=keys.get("teacher"),
        teacher_seed=keys.get("teacher_seed"),
    )


def _shared_arm(study: Study, name: str, keys: dict, where: str) -> Arm:
    if others := set(keys) - {"study", "arm"}:
        raise StudyError(
            f"{where}: shares the runs of another study, so remove {sorted(others)} from it"
        )
    other = _read(study.path.parent / keys["study"], shared=True)
    original = keys.get("arm", name)
    if original not in other.arms:
        raise StudyError(
            f"{where}: {other.path} does not train {original!r}; it trains {list(other.arms)}"
        )
    for key in ("checkpoint", "amp", "evaluators"):
        mine, theirs = getattr(study, key), getattr(other, key)
        if mine != theirs:
            raise StudyError(
                f"{where}: {key} is {mine!r} here and {theirs!r} in {other.path}; runs that are "
                "compared need the same"
            )
    return replace(other.arms[original], name=name)


def _check_teacher(arm: Arm, where: str) -> None:
    arms = arm.study.arms
    if arm.teacher is None:
        if arm.teacher_seed is not None:
            raise StudyError(f"{where}: a teacher_seed, but no teacher")
    elif arm.teacher not in arms:
        raise StudyError(f"{where}: teacher={arm.teacher!r} is no arm; use one of {list(arms)}")
    elif arms[arm.teacher].teacher is not None:
        raise StudyError(
            f"{where}: teacher={arm.teacher!r} has a teacher itself; use a plain segmentor"
        )


def _check_keys(found: Mapping, known: Sequence[str], where: str) -> None:
    if unknown := [key for key in found if key not in known]:
        raise StudyError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(known)}")
