"""From a study's finished runs to its CSV, its page and its pictures."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from pathlib import Path

from lwam_mm.lab.studies.latency import read_latencies
from lwam_mm.lab.studies.scheduler import failure_of
from lwam_mm.lab.studies.study import Study, read_study
from lwam_mm.lab.studies.study_page import Table, study_page
from lwam_mm.lab.studies.study_plan import Run
from lwam_mm.lab.studies.study_plot import draw_classes, draw_seeds
from lwam_mm.lab.studies.study_results import Result, collect, read_csv, to_csv
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder


def named(path: Path) -> str:
    """Name a study or config as a reader of the repository would: configs/..."""
    configs = configs_folder().resolve()
    path = path.resolve()
    if path.is_relative_to(configs):
        return (Path("configs") / path.relative_to(configs)).as_posix()
    here = Path.cwd().resolve()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def write_report(study: Study, root: Path, out: Path) -> tuple[list[Path], list[str]]:
    """Write ``STUDY.csv``, ``STUDY.md`` and two pictures from whatever is finished.

    Times are shown where tools/measure_latency.py has left them in ``out``.

    Args:
        study: the study.
        root: folder of all studies' folders.
        out: folder to write to.

    Returns:
        The files, and what is missing, one line a run.

    Raises:
        lwam_mm.lab.studies.latency.LatencyFileError: the times are damaged, or another study's.
    """
    runs = _known_runs(study, root)
    results = collect(runs, named(study.path))
    missing = [_missing(run) for run in runs if not run.result_file.is_file()]
    csv_file = out / f"{study.name}.csv"
    table = _table(study, results, csv_file)
    files = {csv_file: to_csv(results).encode()}
    pictures = _pictures(table, study.name)
    files |= {out / name: data for name, (_, data) in pictures.items()}
    page = study_page(
        study.title,
        table,
        results,
        pictures={what: name for name, (what, _) in pictures.items()},
        notes=missing,
    )
    files[out / f"{study.name}.md"] = page.encode()
    for path, data in files.items():
        write_atomically(path, data)
    return list(files), missing


def results_page(csv_files: Sequence[Path], page: Path) -> str:
    """Write the page of several studies from their CSVs, and their pictures beside these.

    Args:
        csv_files: what :func:`write_report` wrote, in the order to show them.
        page: where the page will lie, for the pictures' paths.

    Returns:
        The page.

    Raises:
        FileNotFoundError: a CSV, or the study that it names, is not there.
        UserError: a CSV is none of a study, or holds more than one, or the times beside it are
            damaged or another study's.
    """
    parts = [
        "# Results",
        "Made by `python tools/make_results.py` from the CSV of each study: one row a run, with "
        "the exact command and commit of each. Nothing here is written by hand.",
    ]
    for file in csv_files:
        results = read_csv(file)
        studies = {str(result.facts["study"]) for result in results}
        if len(studies) > 1:
            raise UserError(f"{file}: holds more than one study: {sorted(studies)}")
        study = read_study(configs_folder().parent / studies.pop())
        table = _table(study, results, file)
        pictures = _pictures(table, file.stem)
        for name, (_, data) in pictures.items():
            write_atomically(file.with_name(name), data)
        parts.append(
            study_page(
                study.title,
                table,
                results,
                pictures={
                    what: _relative(file.with_name(name), page)
                    for name, (what, _) in pictures.items()
                },
                notes=[f"Study `{named(study.path)}`, runs in `{_relative(file, page)}`."],
                level=2,
            ).strip()
        )
    return "\n\n".join(parts) + "\n"


def _table(study: Study, results: Sequence[Result], csv_file: Path) -> Table:
    times = read_latencies(csv_file, study)
    return Table(results, list(study.arms), study.compare_with, study.metrics, times)


def _known_runs(study: Study, root: Path) -> list[Run]:
    """Give all runs of the study, and those of further seeds that are there."""
    runs = []
    for arm in study.arms.values():
        folder = Run(arm, 0, root).folder.parent
        found = [int(path.name[5:]) for path in folder.glob("seed-*") if path.name[5:].isdigit()]
        further = sorted(set(found) - set(study.seeds))
        runs += [Run(arm, seed, root) for seed in (*study.seeds, *further)]
    return runs


def _missing(run: Run) -> str:
    failure = failure_of(run)
    if failure is not None:
        return f"{run.name} failed: {failure}"
    return f"{run.name} is {'unfinished' if run.folder.is_dir() else 'not begun'}"


def _pictures(table: Table, name: str) -> Mapping[str, tuple[str, bytes]]:
    """Give name of the file to what it shows and its bytes."""
    pictures = {}
    if any(table.values(arm, table.metrics[0]) for arm in table.by_arm):
        pictures[f"{name}_seeds.png"] = (f"{table.metrics[0]} by seed", draw_seeds(table))
    if table.by_arm and table.classes:
        pictures[f"{name}_classes.png"] = ("IoU by class", draw_classes(table))
    return pictures


def _relative(file: Path, page: Path) -> str:
    return Path(os.path.relpath(file, page.parent)).as_posix()
