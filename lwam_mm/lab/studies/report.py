"""From a study's finished runs to its CSV, its page and its pictures."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from pathlib import Path

from lwam_mm.lab.studies.latency import StudyLatencies, read_latencies
from lwam_mm.lab.studies.plots import draw_classes, draw_seeds
from lwam_mm.lab.studies.results import RunResult, collect, read_csv, to_csv
from lwam_mm.lab.studies.run import Run
from lwam_mm.lab.studies.study import Study, StudyError, display_path, read_study
from lwam_mm.lab.studies.tables import StudyTables
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.paths import configs_folder

_READ_AT = {
    "last": "The figures are those of the last checkpoint, which no validation selected.",
    "best": "The figures are those of the checkpoint that was best by validation; if it was "
    "selected on the same images, they are optimistic.",
}


def write_report(study: Study, root: Path, out: Path) -> tuple[list[Path], list[str]]:
    """Write ``STUDY.csv``, ``STUDY.md`` and two pictures from the runs that are finished.

    Latencies are shown if tools/measure_latency.py has written them to ``out``.

    Returns:
        The files in ``out``, and one line for each missing run of the study in ``root``.

    Raises:
        StudyError: If the latencies are damaged or another study's.
    """
    runs = _known_runs(study, root)
    results = collect(runs, display_path(study.path))
    missing = [_missing(run) for run in runs if not run.result_file.is_file()]
    csv_file = out / f"{study.name}.csv"
    section, pictures = _section(study, results, csv_file, csv_file.with_suffix(".md"), missing)
    files = {csv_file: to_csv(results).encode(), **pictures}
    files[csv_file.with_suffix(".md")] = f"# {section}\n".encode()
    for path, data in files.items():
        write_atomically(path, data)
    return list(files), missing


def results_page(csv_files: Sequence[Path], page: Path) -> str:
    """Write the pictures of several studies beside their CSVs and return their page.

    The pictures' paths on it are relative to the file ``page``.

    Raises:
        FileNotFoundError: If there is no such CSV, or the study that it names does not exist.
        StudyError: If a CSV is none of a study, or holds several, or the latencies beside it are
            damaged or another study's.
    """
    parts = [
        "# Results",
        "Written by `python tools/make_results.py` from the CSV of each study, which has one row "
        "for each run with its command and commit. Nothing here is written by hand.",
    ]
    for file in csv_files:
        results = read_csv(file)
        studies = {str(result.facts["study"]) for result in results}
        if len(studies) > 1:
            raise StudyError(f"{file}: holds several studies: {sorted(studies)}; split the file")
        study = read_study(configs_folder().parent / studies.pop())
        notes = [f"Study `{display_path(study.path)}`, runs in `{_relative(file, page)}`."]
        section, pictures = _section(study, results, file, page, notes)
        for path, data in pictures.items():
            write_atomically(path, data)
        parts.append(f"## {section}")
    return "\n\n".join(parts) + "\n"


def _section(
    study: Study, results: Sequence[RunResult], csv_file: Path, page: Path, notes: Sequence[str]
) -> tuple[str, dict[Path, bytes]]:
    """Return a study's part of a page, from its heading on, and its pictures by file."""
    latencies = read_latencies(csv_file, study)
    tables = StudyTables(results, list(study.arms), study.compare_with, study.metrics, latencies)
    parts = [study.title]
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    if not tables.by_arm:
        return "\n\n".join([*parts, "No run is finished."]), {}
    parts.append(_explanation(str(results[0].facts["read_at"]), study.compare_with))
    if latencies is not None:
        parts.append(_latency_explanation(latencies))
    parts.append(tables.main())
    if tables.metrics[1:]:
        parts.append(tables.others())
    pictures, metric = {}, tables.metrics[0]
    if any(tables.values(arm, metric) for arm in tables.by_arm):
        pictures[f"{metric} by seed"] = "seeds", draw_seeds(tables)
    if tables.classes:
        parts.append(tables.by_class())
        pictures["IoU by class"] = "classes", draw_classes(tables)
    files = {}
    for what, (suffix, data) in pictures.items():
        file = csv_file.with_name(f"{csv_file.stem}_{suffix}.png")
        parts.append(f"![{what}]({_relative(file, page)})")
        files[file] = data
    return "\n\n".join(parts), files


def _explanation(read_at: str, compare_with: str) -> str:
    return (
        f"{_READ_AT[read_at]} The nets are folded, students without their teachers. IoU and recall "
        "are in percent, false regions are a number per image. Mean ± sample standard deviation "
        "over seeds; one seed has no spread. Differences are means over the seeds that an arm has "
        f"in common with {compare_with}, with their 95 % t-interval; * marks intervals that "
        "exclude 0. Parameters are those of the folded net without auxiliary heads. Minutes are "
        "those of one training. A + after a commit: files differed from it."
    )


def _latency_explanation(latencies: StudyLatencies) -> str:
    setting = latencies.arms[0]
    calls = max(arm.calls or 0 for arm in latencies.arms)
    text = (
        f"ms is the median time of one image of {setting.size}x{setting.size} pixels, from a "
        f"normalised tensor to logits at full size, in {setting.engine}, float32, with "
        f"{setting.threads} thread(s) of {setting.processor}. ms INT8 is the time of the same net "
        "quantized with NNCF's defaults; all other figures are those of the float net. The nets "
        f"took turns, one call each a round, {calls} calls at most; nets whose exported graphs are "
        "equal were measured once. Weights were drawn at random: they do not affect the time. "
        f"Measured on {setting.date} with `{setting.command}`."
    )
    notes = "\n".join(f"- {note}" for note in latencies.notes)
    return f"{text}\n\n{notes}".strip()


def _known_runs(study: Study, root: Path) -> list[Run]:
    """Return all runs of the study, and those of further seeds that exist."""
    runs = []
    for arm in study.arms.values():
        folder = Run(arm, 0, root).folder.parent
        found = [int(path.name[5:]) for path in folder.glob("seed-*") if path.name[5:].isdigit()]
        further = sorted(set(found) - set(study.seeds))
        runs += [Run(arm, seed, root) for seed in (*study.seeds, *further)]
    return runs


def _missing(run: Run) -> str:
    if run.failure_file.is_file():
        return f"{run.name} failed: {run.failure_file.read_text().strip()}"
    return f"{run.name} is {'unfinished' if run.folder.is_dir() else 'not begun'}"


def _relative(file: Path, page: Path) -> str:
    return Path(os.path.relpath(file, page.parent)).as_posix()
