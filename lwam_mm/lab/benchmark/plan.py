"""Which rows there are, and how each is made."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lwam_mm.lab.benchmark.ceiling import ceiling_key
from lwam_mm.lab.benchmark.peer_int8 import pack_peer_int8
from lwam_mm.lab.benchmark.peers import PEERS, peer_config
from lwam_mm.lab.benchmark.reason import reason
from lwam_mm.lab.benchmark.row import Row
from lwam_mm.lab.benchmark.workshop import Network, Student
from lwam_mm.runtime import Bundle, read_bundle
from lwam_mm.utils.errors import UserError

EAGER = {
    "teacher": "teacher, eager",
    "multi-branch": "student, multi-branch, eager",
    "folded": "student, folded, eager",
    "channels-last": "student, folded, eager, channels-last",
}
ENGINES = {
    "onnxruntime": "student, ONNX Runtime",
    "onnxruntime-int8": "student, ONNX Runtime INT8",
    "openvino": "student, OpenVINO",
    "openvino-int8": "student, OpenVINO INT8",
    "ncnn": "student, ncnn",
    "ncnn-fp16": "student, ncnn, fp16 storage",
}
FILES = {
    "openvino-file": "student, OpenVINO, PNG to class map",
    "openvino-int8-file": "student, OpenVINO INT8, PNG to class map",
}
ROWS = {**EAGER, **ENGINES, **FILES}
"""Rows of teacher and student by key, each with its title, in the order of the table."""


class Plan:
    """Makes rows.

    Args:
        teacher: the teacher.
        student: the student.
        threads: threads that each row may use.
        folder: a folder for the peers.
        progress: called with one line of text at each step.
    """

    def __init__(
        self,
        teacher: Network,
        student: Student,
        threads: int,
        folder: Path,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._teacher, self._student, self._threads = teacher, student, threads
        self._folder, self._progress = folder, progress
        self._picture = student.network.pictures[0]

    def rows(self, keys: Sequence[str]) -> list[Row]:
        """Make rows of teacher and student; one that cannot be made has a note that says why."""
        return [_noted(Row(key, ROWS[key], None), lambda key=key: self._row(key)) for key in keys]

    def peer_rows(self, name: str) -> list[Row]:
        """Make a peer's rows: eager, OpenVINO in float and in INT8, likewise."""
        self._progress(f"build and export {PEERS[name].title}")
        title, found = PEERS[name].title, []
        blank = [
            Row(name, f"{title}, eager", None),
            Row(f"{name}-openvino", f"{title}, OpenVINO", None),
            Row(f"{name}-openvino-int8", f"{title}, OpenVINO INT8", None),
        ]
        try:
            with warnings.catch_warnings():
                # Advice on losses and samplers, to those who train.
                warnings.simplefilter("ignore")
                config = peer_config(name, len(self._student.classes))
                network = Network(
                    config,
                    None,
                    self._student.network.pictures,
                    self._folder / name,
                    self._student.network.size,
                )
                parameters, macs = network.count(folded=False)
                blank = [replace(row, parameters=parameters, macs=macs) for row in blank]
                found.append(self._torch(blank[0], network, folded=False))
                exporter = network.exporter(self._student.classes)
                model = exporter.to_onnx()
                found.append(self._inference(blank[1], exporter.pack(model, frames=False)))
                bundle = pack_peer_int8(
                    exporter, model, self._student.calibration, PEERS[name].transformer
                )
                found.append(self._inference(blank[2], bundle))
        except Exception as error:
            note = f"not measured: {reason(error)}"
            found += [replace(row, note=note) for row in blank[len(found) :]]
        return found

    def bundle_row(self, path: str | Path) -> Row:
        """Make the row of a bundle that is there already; its mIoU is what its gate saw.

        Raises:
            lwam_mm.runtime.BundleError: the bundle is missing or damaged.
        """
        bundle = read_bundle(path)
        precision = bundle.manifest.precision
        stages = bundle.manifest.figures.get("gate", {}).get("stages", {})
        scores = stages.get("INT8" if precision == "int8" else "exported", {})
        title = f"bundle {bundle.root.name} ({bundle.manifest.engine}, {precision})"
        row = Row(f"bundle:{path}", title, None, miou=scores.get("mIoU"))
        return self._inference(row, bundle)

    def _row(self, key: str) -> Row:
        row, student = Row(key, ROWS[key], None), self._student
        if key in EAGER:
            network = self._teacher if key == "teacher" else student.network
            return self._torch(
                row,
                network,
                folded=key in ("folded", "channels-last"),
                channels_last=key == "channels-last",
            )
        parameters, macs = student.network.count(folded=True)
        row = replace(row, parameters=parameters, macs=macs)
        if key in FILES:
            bundle = student.bundle(key.removesuffix("-file"), frames=True)
            return self._of_bundle(row, bundle, "file_to_map")
        return self._inference(row, student.bundle(key))

    def _torch(
        self, row: Row, network: Network, *, folded: bool, channels_last: bool = False
    ) -> Row:
        parameters, macs = network.count(folded=folded)
        job = dict(
            name="torch_model",
            config=str(network.config_file),
            checkpoint=str(network.checkpoint),
            picture=str(self._picture),
            threads=self._threads,
            folded=folded,
            channels_last=channels_last,
        )
        return replace(
            row,
            job=job,
            parameters=parameters,
            macs=macs,
            ceiling=ceiling_key("torch", "float32"),
        )

    def _inference(self, row: Row, bundle: Bundle) -> Row:
        return self._of_bundle(row, bundle, "bundle_inference")

    def _of_bundle(self, row: Row, bundle: Bundle, job: str) -> Row:
        manifest = bundle.manifest
        return replace(
            row,
            job=dict(
                name=job,
                bundle=str(bundle.root),
                picture=str(self._picture),
                threads=self._threads,
            ),
            files=tuple(bundle.root / name for name in manifest.files),
            ceiling=ceiling_key(manifest.engine, manifest.precision),
        )


def with_miou(rows: Sequence[Row], miou: Mapping[str, float]) -> list[Row]:
    """Add mIoUs in percent by key; what is laid out or fed otherwise has the same as its model."""
    same = {"channels-last": "folded"} | {key: key.removesuffix("-file") for key in FILES}
    return [replace(row, miou=miou.get(same.get(row.key, row.key), row.miou)) for row in rows]


def check_keys(keys: Sequence[str], known: Mapping[str, object], option: str) -> None:
    """Make sure that keys are known ones.

    Raises:
        UserError: one is not.
    """
    for key in keys:
        if key not in known:
            raise UserError(f"{option} {key}: no such row; give some of {', '.join(known)}")


def _noted(blank: Row, make: Callable[[], Row]) -> Row:
    try:
        return make()
    except Exception as error:
        return replace(blank, note=f"not measured: {reason(error)}")
