"""Reading a study and refusing one that cannot be meant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from lwam_mm.utils.errors import UserError

_METRICS = ("mIoU", "RegionRecall10", "RegionRecall50", "FalseRegions10", "FalseRegions50")
_ARM_NAME = re.compile(r"\w[\w.+-]*")
_STUDY_KEYS = (
    "title", "base", "arms", "seeds", "compare_with", "metrics", "checkpoint", "amp", "evaluators",
)  # fmt: skip
_ARM_KEYS = ("config", "overrides", "remove", "teacher", "teacher_seed", "study", "arm")


class StudyError(UserError):
    """A study's file says something that cannot be meant."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One line of a study.

    Attributes:
        name: its name in the study that is read.
        study: the study whose runs it has; another one's where the arm is shared.
        original: its name there.
        config: the config that it starts from.
        overrides: dotted keys to values.
        remove: dotted keys that go.
        teacher: the arm, in ``study``, that teaches; None where none does.
        teacher_seed: its seed; None for the run's own.
    """

    name: str
    study: Study = field(repr=False)
    original: str
    config: Path
    overrides: Mapping[str, Any]
    remove: Sequence[str]
    teacher: str | None
    teacher_seed: int | None


@dataclass(frozen=True)
class Study:
    """What a study's file says; see :mod:`lwam_mm.lab.studies`.

    Attributes:
        path: the file.
        title: heading of the results.
        arms: by name, in the file's order.
        seeds: one training of each arm with each.
        compare_with: name of an arm.
        metrics: figures of the table, the main one first.
        checkpoint: ``"last"`` or ``"best"``.
        amp: whether to train in mixed precision.
        evaluators: metrics of the final evaluation beside the config's own.
    """

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
        """Name of its folder and of its results."""
        return self.path.stem


def read_study(path: str | Path) -> Study:
    """Read a study, and those whose arms it shares.

    Raises:
        FileNotFoundError: there is no such file.
        StudyError: a key is unknown or missing, or a name, path or value cannot be meant; the
            message names it.
    """
    return _read(Path(path), shared=False)


def _read(path: Path, *, shared: bool) -> Study:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such study; see configs/ablations/")
    said = Config.fromfile(path, import_custom_modules=False).to_dict()
    said = {key: value for key, value in said.items() if not key.startswith("_")}
    _check_keys(said, _STUDY_KEYS, f"{path}")
    for key in ("title", "arms", "seeds", "compare_with"):
        if not said.get(key):
            raise StudyError(f"{path}: {key} is missing; see the docstring of lwam_mm.lab.studies")
    for key, allowed in (("checkpoint", ("last", "best")), ("amp", (True, False))):
        if key in said and said[key] not in allowed:
            raise StudyError(f"{path}: {key}={said[key]!r}: use one of {list(allowed)}")
    if any(not isinstance(seed, int) for seed in said["seeds"]):
        raise StudyError(f"{path}: seeds={said['seeds']}: give whole numbers")
    study = Study(
        path=path,
        title=said["title"],
        arms={},
        seeds=tuple(dict.fromkeys(said["seeds"])),
        compare_with=said["compare_with"],
        metrics=tuple(said.get("metrics", _METRICS)),
        checkpoint=said.get("checkpoint", "last"),
        amp=said.get("amp", False),
        evaluators=tuple(said.get("evaluators", [dict(type="RegionMetric")])),
    )
    for name, arm in said["arms"].items():
        # A shared arm's own study is not asked for arms that it shares itself: one step is enough.
        if not (shared and "study" in arm):
            study.arms[name] = _arm(study, name, arm, said.get("base"))
    _check_names(study, shared)
    return study


def _arm(study: Study, name: str, said: dict, base: str | None) -> Arm:
    where = f"{study.path}: arm {name!r}"
    if not _ARM_NAME.fullmatch(name):
        raise StudyError(f"{where}: use letters, digits and + - _ . only; it names a folder")
    _check_keys(said, _ARM_KEYS, where)
    if "study" in said:
        return _shared_arm(study, name, said, where)
    config = said.get("config", base)
    if config is None:
        raise StudyError(f"{where}: has no config, and the study has no base")
    config_path = study.path.parent / config
    if not config_path.is_file():
        raise StudyError(f"{where}: {config}: there is no such config beside {study.path.parent}")
    return Arm(
        name=name,
        study=study,
        original=name,
        config=config_path,
        overrides=said.get("overrides", {}),
        remove=said.get("remove", ()),
        teacher=said.get("teacher"),
        teacher_seed=said.get("teacher_seed"),
    )


def _shared_arm(study: Study, name: str, said: dict, where: str) -> Arm:
    beside = set(said) - {"study", "arm"}
    if beside:
        raise StudyError(f"{where}: shares another study's runs, so {sorted(beside)} cannot hold")
    other = _read(study.path.parent / said["study"], shared=True)
    original = said.get("arm", name)
    if original not in other.arms:
        raise StudyError(
            f"{where}: {other.path} has no arm {original!r} of its own; it has {list(other.arms)}"
        )
    for what in ("checkpoint", "amp", "evaluators"):
        mine, theirs = getattr(study, what), getattr(other, what)
        if mine != theirs:
            raise StudyError(
                f"{where}: {what} is {mine!r} here and {theirs!r} in {other.path}; runs that are "
                "compared need the same"
            )
    arm = other.arms[original]
    return Arm(**{**vars(arm), "name": name})


def _check_names(study: Study, shared: bool) -> None:
    for arm in study.arms.values():
        names = arm.study.arms
        if arm.teacher is None:
            if arm.teacher_seed is not None:
                raise StudyError(f"{study.path}: arm {arm.name!r}: a teacher_seed, but no teacher")
        elif arm.teacher not in names:
            raise StudyError(
                f"{study.path}: arm {arm.name!r}: teacher={arm.teacher!r} is no arm; use one of "
                f"{list(names)}"
            )
        elif names[arm.teacher].teacher is not None:
            raise StudyError(
                f"{study.path}: arm {arm.name!r}: teacher={arm.teacher!r} is itself taught; a "
                "teacher is a plain segmentor"
            )
    if study.compare_with not in study.arms and not shared:
        raise StudyError(
            f"{study.path}: compare_with={study.compare_with!r} is no arm; use one of "
            f"{list(study.arms)}"
        )


def _check_keys(said: Mapping, known: Sequence[str], where: str) -> None:
    unknown = [key for key in said if key not in known]
    if unknown:
        raise StudyError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(known)}")
