"""Measure how long one image takes each arm's network, as it is used."""

from __future__ import annotations

import shlex
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
from mmengine.config import Config

from lwam_mm.deploy.exporter import dataset_classes
from lwam_mm.lab.benchmark.candidates import Candidate
from lwam_mm.lab.benchmark.models import Network, draw_layers, pack_peer_int8
from lwam_mm.lab.benchmark.report import cpu_model, versions
from lwam_mm.lab.benchmark.timing import Timing, time_interleaved
from lwam_mm.lab.benchmark.worker import describe_error
from lwam_mm.lab.studies.latency import PRECISIONS, Figure, Latencies, Setting
from lwam_mm.lab.studies.study import Arm, Study
from lwam_mm.lab.studies.study_plan import Run, config_of
from lwam_mm.lab.studies.study_report import named
from lwam_mm.runtime import Bundle, read_image
from lwam_mm.runtime.pre_and_postprocessing import to_batch

_PICTURES = 4


def network_config(arm: Arm) -> Config:
    """Give the config of an arm's network as it is used: the student alone, no auxiliary heads.

    Raises:
        FileNotFoundError: the arm's config is gone.
        lwam_mm.lab.studies.study.StudyError: an override leads nowhere.
    """
    config = config_of(Run(arm, arm.study.seeds[0], Path()))
    if "architecture" in config.model:
        config.model = config.model.architecture
    config.model.pop("auxiliary_head", None)
    return config


class Exports:
    """Exports networks for OpenVINO; those whose graphs come out equal are one to measure.

    So are students that were taught differently, losses, and branches that folding takes away.

    Args:
        folder: an empty folder to write to.
        size: height and width in pixels.
        threads: threads that each network may use.
    """

    def __init__(self, folder: Path, size: int, threads: int) -> None:
        self._folder, self._size, self._threads = folder, size, threads
        self._pictures = draw_layers(folder / "pictures", size, _PICTURES)
        self._known: dict[bytes, list[Candidate]] = {}

    def rows(self, name: str, config: Config) -> list[Candidate]:
        """Export a network and make its rows, those of an earlier one if it equals that.

        Args:
            name: what to call it; used once.
            config: its config.

        Returns:
            One row for each of the precisions; one that cannot be made has a note that says why.
        """
        blank = [Candidate(f"{name}, {precision}", name) for precision in PRECISIONS]
        made: list[Candidate] = []
        try:
            with warnings.catch_warnings():
                # Advice on losses and samplers, to those who train.
                warnings.simplefilter("ignore")
                folder = self._folder / "networks" / name
                network = Network(config, None, self._pictures, folder, self._size)
                _, macs = network.count(folded=True)
                blank = [replace(row, macs=macs) for row in blank]
                exporter = network.exporter(dataset_classes(config)[0])
                model = exporter.to_onnx()
                graph = _without_weights(model)
                if graph in self._known:
                    return self._known[graph]
                bundle = exporter.pack(model, frames=False)
                made.append(replace(blank[0], task=self._task(bundle)))
                spec = exporter.manifest.input
                images = [to_batch(read_image(path), spec) for path in self._pictures]
                # Peers and ours alike, so that only the network makes the difference.
                bundle = pack_peer_int8(exporter, model, images, _has_attention(model))
                made.append(replace(blank[1], task=self._task(bundle)))
                self._known[graph] = made
        except Exception as error:
            note = f"not measured: {describe_error(error)}"
            made += [replace(row, note=note) for row in blank[len(made) :]]
        return made

    def _task(self, bundle: Bundle) -> dict:
        return dict(
            function="lwam_mm.lab.benchmark.worker:bundle_inference",
            bundle=str(bundle.root),
            picture=str(self._pictures[0]),
            threads=self._threads,
        )


def measure(
    study: Study,
    *,
    size: int,
    threads: int,
    rounds: int,
    progress: Callable[[str], None] = lambda line: None,
) -> Latencies:
    """Measure the arms of a study side by side, one call each a round.

    Weights are drawn at random: the time does not depend on them.

    Args:
        study: the study.
        size: height and width of the image in pixels.
        threads: threads that each network may use.
        rounds: how many calls of each count; of slow ones fewer, see
            :func:`lwam_mm.lab.benchmark.timing.time_interleaved`.
        progress: called with one line of text at each step.

    Returns:
        One figure for each arm and precision; that of an arm that cannot be exported or run is
        empty, and its note says why.

    Raises:
        FileNotFoundError: an arm's config is gone.
        lwam_mm.lab.studies.study.StudyError: an override leads nowhere.
    """
    configs = {arm.name: network_config(arm) for arm in study.arms.values()}
    with tempfile.TemporaryDirectory() as scratch:
        exports = Exports(Path(scratch), size, threads)
        rows: dict[str, list[Candidate]] = {}
        for name, config in configs.items():
            progress(f"export {name}")
            rows[name] = exports.rows(name, config)
        tasks = {row.key: row.task for made in rows.values() for row in made if row.task}
        timed = time_interleaved(tasks, threads, rounds, progress)
    figures = [
        _figure(name, precision, row, timed.get(row.key))
        for name, made in rows.items()
        for precision, row in zip(PRECISIONS, made, strict=True)
    ]
    return Latencies(_setting(study, size, threads, rounds), tuple(figures))


def _setting(study: Study, size: int, threads: int, rounds: int) -> Setting:
    options = dict(size=size, threads=threads, rounds=rounds)
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    found = versions()
    return Setting(
        engine=f"OpenVINO {found['openvino']}",
        size=size,
        threads=threads,
        processor=cpu_model(),
        versions=", ".join(f"{name} {version}" for name, version in found.items()),
        date=time.strftime("%Y-%m-%d"),
        command=shlex.join(["python", "tools/measure_latency.py", named(study.path), *words]),
    )


def _figure(arm: str, precision: str, row: Candidate, timed: Timing | None) -> Figure:
    result = replace(row, timing=timed or Timing())
    timing = result.timing
    return Figure(
        arm=arm,
        precision=precision,
        ms=timing.median,
        p95_ms=timing.percentile(95),
        calls=len(timing.milliseconds) or None,
        macs=result.macs,
        note="; ".join(result.notes),
    )


def _without_weights(model: onnx.ModelProto) -> bytes:
    """Give what makes a graph's time: operators and shapes, but no weights."""
    bare = onnx.shape_inference.infer_shapes(model)
    for tensor in bare.graph.initializer:
        tensor.ClearField("raw_data")
    return bare.SerializeToString(deterministic=True)


def _has_attention(model: onnx.ModelProto) -> bool:
    """Tell a transformer, which NNCF quantizes in its own way, by its softmax."""
    return any(node.op_type == "Softmax" for node in model.graph.node)
