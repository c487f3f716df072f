"""Before a run starts: check its folder and its config, and write the config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from lwam_mm.lab.studies.execute_run import execute_run
from lwam_mm.lab.studies.run import Run, config_of
from lwam_mm.lab.studies.study import Study, StudyError, display_path
from lwam_mm.utils.atomic_files import write_atomically


def refuse_begun(study: Study, runs: Sequence[Run]) -> None:
    """Refuse runs whose folders exist, except finished ones of another study.

    Raises:
        StudyError: If there are any; names them and the remedies.
    """
    begun = []
    for run in runs:
        finished = run.result_file.is_file()
        if run.folder.exists() and (run.arm.study.path == study.path or not finished):
            begun.append(f"  {run.folder} ({'finished' if finished else 'begun'})")
    if begun:
        listed = "\n".join(begun)
        raise StudyError(
            f"{len(begun)} run(s) exist already:\n{listed}\nContinue with --resume (finished "
            "ones are kept), choose another --work-dir, or remove the folders."
        )


@dataclass(frozen=True)
class Preparation:
    """Settings of all runs: data set and further config values in place of their configs' own.

    ``say`` is called with one line of text.
    """

    data_root: str | None
    options: dict[str, Any] | None
    say: Callable[[str], None]

    def check(self, run: Run) -> None:
        """Build a run's config, so that mistakes show before hours of training.

        A run that has begun keeps its config; a note says if the study's has changed since then.

        Raises:
            StudyError: If the key of an override does not exist.
        """
        config = self._config(run, None)
        if _has_begun(run) and _contents(Config.fromfile(run.config_file)) != _contents(config):
            self.say(
                f"note: {run.name} keeps the config that it began with, {run.config_file}; the "
                f"study or its configs have changed since. Remove {run.folder} to train it again"
            )

    def job(self, run: Run, teacher_checkpoint: Path | None) -> Callable[..., None]:
        """Write a run's config, unless it has begun; return a function that executes the run."""
        if not _has_begun(run):
            text = self._config(run, teacher_checkpoint).pretty_text
            write_atomically(run.config_file, text.encode())
        return partial(
            execute_run,
            replace(run, root=run.root.resolve()),
            study=display_path(run.arm.study.path),
            config=display_path(run.arm.config),
        )

    def _config(self, run: Run, teacher_checkpoint: Path | None) -> Config:
        return config_of(run, teacher_checkpoint, data_root=self.data_root, options=self.options)


def _has_begun(run: Run) -> bool:
    return run.attempts_file.is_file() and run.config_file.is_file()


def _contents(config: Config) -> dict:
    """Return what can be compared: the teacher's checkpoint is known only after its training."""
    contents = config.to_dict()
    contents["model"].pop("teacher_ckpt", None)
    return contents
