"""Measure the latency of each arm's network, as it is deployed."""

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

from lwam_mm.deploy.deployable import dataset_classes
from lwam_mm.lab.benchmark.candidates import Candidate, failure_noted
from lwam_mm.lab.benchmark.models import Network, draw_layers, pack_peer_int8
from lwam_mm.lab.benchmark.report import cpu_model, versions
from lwam_mm.lab.benchmark.timing import time_interleaved
from lwam_mm.lab.studies.latency import PRECISIONS, ArmLatency, StudyLatencies
from lwam_mm.lab.studies.run import Run, config_of
from lwam_mm.lab.studies.study import Arm, Study, display_path
from lwam_mm.runtime import Bundle, read_image
from lwam_mm.runtime.pre_and_postprocessing import to_batch

_PICTURES = 4


def network_config(arm: Arm) -> Config:
    """Return the config of an arm's network as deployed: the student, without auxiliary heads."""
    config = config_of(Run(arm, arm.study.seeds[0], Path()))
    if "architecture" in config.model:
        config.model = config.model.architecture
    config.model.pop("auxiliary_head", None)
    return config


class Exports:
    """Networks exported for OpenVINO; those with equal graphs are measured once.

    Graphs are equal for students that were taught differently, for other losses, and for branches
    that disappear by folding. Files go to the empty ``folder``; images have ``size`` pixels in
    height and width; each network runs on ``threads`` threads.
    """

    def __init__(self, folder: Path, size: int, threads: int) -> None:
        self._folder, self._size, self._threads = folder, size, threads
        self._pictures = draw_layers(folder / "pictures", size, _PICTURES)
        self._known: dict[bytes, list[Candidate]] = {}

    def candidates(self, name: str, config: Config) -> list[Candidate]:
        """Export a network, or take an equal one; return a row for each precision.

        A row that cannot be made has a note with the reason. ``name`` must be unique.
        """
        planned = [Candidate(f"{name}, {precision}", name) for precision in PRECISIONS]
        made: list[Candidate] = []
        with failure_noted(planned, made), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on losses and samplers, which training needs
            folder = self._folder / "networks" / name
            network = Network(config, None, self._pictures, folder, self._size)
            macs = network.count(folded=True).macs
            planned[:] = [replace(row, macs=macs) for row in planned]
            exporter = network.exporter(dataset_classes(config)[0])
            model = exporter.to_onnx()
            graph = _without_weights(model)
            if graph in self._known:
                return self._known[graph]
            bundle = exporter.pack(model, frames=False)
            made.append(replace(planned[0], task=self._task(bundle)))
            images = [
                to_batch(read_image(path), exporter.manifest.input) for path in self._pictures
            ]
            # Quantized like peers, so that only the network makes the difference.
            bundle = pack_peer_int8(exporter, model, images, _has_attention(model))
            made.append(replace(planned[1], task=self._task(bundle)))
            self._known[graph] = made
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
) -> StudyLatencies:
    """Measure the arms of a study side by side, one call each a round.

    Weights are drawn at random: they do not affect the time.

    Args:
        study: The study.
        size: Height and width of the image in pixels.
        threads: Threads of each network.
        rounds: Timed calls of each network; slow ones have fewer.
        progress: Called with one line of text at each step.

    Returns:
        The latency of each arm and precision; an arm that cannot be exported or run has a note
        with the reason instead.

    Raises:
        lwam_mm.lab.studies.study.StudyError: If the key of an override does not exist.
    """
    configs = {arm.name: network_config(arm) for arm in study.arms.values()}
    with tempfile.TemporaryDirectory() as scratch:
        exports = Exports(Path(scratch), size, threads)
        rows: dict[str, list[Candidate]] = {}
        for name, config in configs.items():
            progress(f"export {name}")
            rows[name] = exports.candidates(name, config)
        tasks = {row.key: row.task for made in rows.values() for row in made if row.task}
        timed = time_interleaved(tasks, threads, rounds, progress)
    setting = _setting(study, size, threads, rounds)
    arms = []
    for name, made in rows.items():
        for precision, row in zip(PRECISIONS, made, strict=True):
            timing = timed.get(row.key, row.timing)
            arms.append(
                ArmLatency(
                    arm=name,
                    precision=precision,
                    ms=timing.median,
                    p95_ms=timing.percentile(95),
                    calls=len(timing.milliseconds) or None,
                    macs=row.macs,
                    note="; ".join(replace(row, timing=timing).notes),
                    **setting,
                )
            )
    return StudyLatencies(tuple(arms))


def _setting(study: Study, size: int, threads: int, rounds: int) -> dict[str, object]:
    command = [
        "python", "tools/measure_latency.py", display_path(study.path),
        "--size", str(size), "--threads", str(threads), "--rounds", str(rounds),
    ]  # fmt: skip
    found = versions()
    return dict(
        engine=f"OpenVINO {found['openvino']}",
        size=size,
        threads=threads,
        processor=cpu_model(),
        versions=", ".join(f"{name} {version}" for name, version in found.items()),
        date=time.strftime("%Y-%m-%d"),
        command=shlex.join(command),
    )


def _without_weights(model: onnx.ModelProto) -> bytes:
    """Return what determines a graph's time: operators and shapes, but no weights."""
    bare = onnx.shape_inference.infer_shapes(model)
    for tensor in bare.graph.initializer:
        tensor.ClearField("raw_data")
    return bare.SerializeToString(deterministic=True)


def _has_attention(model: onnx.ModelProto) -> bool:
    """Return whether a net is a transformer, which NNCF quantizes in its own way."""
    return any(node.op_type == "Softmax" for node in model.graph.node)
