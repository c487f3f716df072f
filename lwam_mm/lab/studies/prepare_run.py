"""Before a run starts: its folder must be free or meant, and its config written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from lwam_mm.lab.studies.run_job import PIECES, Job
from lwam_mm.lab.studies.study import Study
from lwam_mm.lab.studies.study_plan import Run, config_of
from lwam_mm.lab.studies.study_report import named
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError


class BegunRunsError(UserError):
    """Runs are there already, and nobody said what to do with them."""


def refuse_begun(study: Study, runs: Sequence[Run]) -> None:
    """Refuse to start where runs are there already; another study's finished ones are welcome.

    Raises:
        BegunRunsError: names them, and what can be done.
    """
    begun = [
        run
        for run in runs
        if run.folder.exists() and (run.arm.study.path == study.path or not _finished(run))
    ]
    if begun:
        listed = "\n".join(
            f"  {run.folder} ({'finished' if _finished(run) else 'begun'})" for run in begun
        )
        raise BegunRunsError(
            f"{len(begun)} run(s) are there already:\n{listed}\nGo on with --resume (finished "
            "ones are kept), choose another --work-dir, or remove the folders."
        )


class Preparation:
    """Makes jobs of runs.

    Args:
        data_root: folder of the data set; the configs' if None.
        options: further dotted keys to values for every run.
        say: called with a line of text where something is worth knowing.
    """

    def __init__(
        self,
        data_root: str | None,
        options: dict[str, Any] | None,
        say: Callable[[str], None],
    ) -> None:
        self.data_root = data_root
        self.options = options
        self.say = say

    def check(self, run: Run) -> None:
        """Build a run's config, so that a mistake shows before hours of training.

        A begun run keeps the config that it began with; a change of the study or of its configs
        since then is said, not followed.

        Raises:
            StudyError: an override leads nowhere.
        """
        config = self._config(run, None)
        if _begun(run) and _plain(Config.fromfile(run.config_file)) != _plain(config):
            self.say(
                f"note: {run.name} keeps the config that it began with, {run.config_file}; the "
                f"study or its configs have changed since. Remove {run.folder} to train it anew"
            )

    def job(self, run: Run, teacher_checkpoint: Path | None) -> Job:
        """Write a run's config, unless it has begun, and make its job."""
        if not _begun(run):
            text = self._config(run, teacher_checkpoint).pretty_text
            write_atomically(run.config_file, text.encode())
        study = run.arm.study
        return Job(
            name=run.name,
            study=named(study.path),
            arm=run.arm.original,
            seed=run.seed,
            source=named(run.arm.config),
            config=run.config_file.resolve(),
            folder=run.folder.resolve(),
            checkpoint=study.checkpoint,
            amp=study.amp,
            evaluators=study.evaluators,
        )

    def _config(self, run: Run, teacher_checkpoint: Path | None) -> Config:
        return config_of(run, teacher_checkpoint, data_root=self.data_root, options=self.options)


def _begun(run: Run) -> bool:
    return (run.folder / PIECES).is_file() and run.config_file.is_file()


def _finished(run: Run) -> bool:
    return run.result_file.is_file()


def _plain(config: Config) -> dict:
    """Give what can be compared: the teacher's checkpoint is not known before it is trained."""
    said = config.to_dict()
    said["model"].pop("teacher_ckpt", None)
    return said
