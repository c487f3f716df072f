from __future__ import annotations

import csv
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from study_fixtures import LATENCY_SETTING, make_latency

from lwam_mm.lab.benchmark.models import Counts
from lwam_mm.lab.benchmark.timing import Timing
from lwam_mm.lab.studies import measure_latency as measuring
from lwam_mm.lab.studies.latency import (
    PRECISIONS,
)
from lwam_mm.lab.studies.measure_latency import Exports, measure, network_config
from lwam_mm.lab.studies.study import StudyError
from lwam_mm.utils.paths import configs_folder

# ---- the networks


def test_a_network_is_measured_as_it_is_used(make_study, write_study):
    write_study(
        "other", arms={"shared": dict(overrides={"model.width": 16})}, compare_with="shared"
    )
    study = make_study(
        arms={
            "plain": dict(overrides={"model.auxiliary_head": [dict(type="Aux")]}),
            "student": dict(config="distillation.py"),
            "teacher": {},
            "taught": dict(
                config="distillation.py",
                teacher="teacher",
                overrides={"model.architecture.auxiliary_head": dict(type="Aux")},
            ),
            "shared": dict(study="other.py"),
        },
        compare_with="plain",
    )
    found = {arm.name: network_config(arm).model.to_dict() for arm in study.arms.values()}
    assert found["plain"] == found["teacher"] == dict(type="Plain", width=4, parts=[1, 2, 3])
    assert found["student"] == found["taught"] == dict(width=4)
    assert found["shared"]["width"] == 16


def test_students_of_one_config_are_one_network_and_peers_are_others():
    from lwam_mm.lab.studies.study import read_study

    study = read_study(configs_folder() / "ablations" / "peers_magnetic-tile.py")
    models = {arm.name: network_config(arm).model.to_dict() for arm in study.arms.values()}
    assert models["lwrnet"] == models["lwrnet-distilled"]
    assert not any("auxiliary_head" in model for model in models.values())


def graph(width: int, seed: int) -> onnx.ModelProto:
    """A convolution to ``width`` channels with weights of a seed."""
    weights = np.random.default_rng(seed).standard_normal((width, 3, 1, 1), np.float32)
    nodes = [helper.make_node("Conv", ["input", "w"], ["output"])]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, channels, 64, 64))
        for name, channels in (("input", 3), ("output", width))
    ]
    inner = helper.make_graph(
        nodes, "net", ports[:1], ports[1:], [numpy_helper.from_array(weights, "w")]
    )
    return helper.make_model(inner)


class FakeNetwork:
    """Stands for a network, and its exporter, whose config says what goes wrong."""

    def __init__(self, config, checkpoint, pictures, folder, size):
        assert checkpoint is None
        folder.mkdir(parents=True)
        self.said, self.folder = config["model"], folder

    def count(self, *, folded):
        assert folded
        return Counts(7, 1000 * self.said["width"], 0)

    def exporter(self, classes):
        return self

    def to_onnx(self):
        if "export" in self.said:
            raise RuntimeError(self.said["export"])
        return graph(self.said["width"], self.said.get("seed", 0))

    @property
    def manifest(self):
        return SimpleNamespace(input=None)

    def pack(self, model, *, frames):
        assert not frames
        return SimpleNamespace(root=self.folder / "float32")


def pack_int8(exporter, model, images, transformer):
    assert len(images) == 4
    if "int8" in exporter.said:
        raise RuntimeError(exporter.said["int8"])
    return SimpleNamespace(root=exporter.folder / "int8")


@pytest.fixture
def fake_networks(monkeypatch):
    monkeypatch.setattr(measuring, "Network", FakeNetwork)
    monkeypatch.setattr(measuring, "pack_peer_int8", pack_int8)
    monkeypatch.setattr(measuring, "dataset_classes", lambda config: (("A",), ((0, 0, 0),)))
    monkeypatch.setattr(measuring, "to_batch", lambda image, spec: image)


def test_equal_graphs_are_measured_once(fake_networks, tmp_path):
    exports = Exports(tmp_path, 64, 1)
    first = exports.candidates("first", dict(model=dict(width=4)))
    assert [row.key for row in first] == ["first, float32", "first, int8"]
    assert [row.task["bundle"].rpartition("/")[2] for row in first] == ["float32", "int8"]
    assert first[0].task["threads"] == 1
    assert Path(first[0].task["picture"]).is_file()
    assert exports.candidates("other weights", dict(model=dict(width=4, seed=1))) == first
    wider = exports.candidates("wider", dict(model=dict(width=5)))
    assert [row.macs for row in (*first, *wider)] == [4000, 4000, 5000, 5000]
    assert wider[0].key == "wider, float32"


def test_weights_make_no_difference_to_a_graph_but_sizes_do():
    def enlarged(factor: float, seed: int) -> onnx.ModelProto:
        model = graph(3, seed)
        model.opset_import[0].version = 18
        model.graph.node[0].output[0] = "small"
        model.graph.node.extend(
            [
                helper.make_node("Resize", ["small", "", "factors"], ["large"], mode="linear"),
                helper.make_node("GlobalAveragePool", ["large"], ["output"]),
            ]
        )
        factors = np.array([1, 1, factor, factor], np.float32)
        model.graph.initializer.append(numpy_helper.from_array(factors, "factors"))
        model.graph.output[0].CopyFrom(
            helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 3, 1, 1))
        )
        return model

    same, other, larger = (
        measuring._without_weights(enlarged(*arguments)) for arguments in ((2, 0), (2, 1), (4, 0))
    )
    assert same == other
    assert same != larger


def test_what_cannot_be_exported_has_a_note(fake_networks, tmp_path):
    exports = Exports(tmp_path, 64, 1)
    for row in exports.candidates("a", dict(model=dict(width=4, export="no such operator"))):
        assert (row.task, row.macs) == (None, 4000)
        assert row.note == "not measured: RuntimeError: no such operator"
    plain, int8 = exports.candidates("b", dict(model=dict(width=4, int8="no scale")))
    assert plain.task is not None
    assert not plain.note
    assert (int8.task, int8.note) == (None, "not measured: RuntimeError: no scale")


def test_a_softmax_tells_a_transformer():
    model = graph(2, 0)
    assert not measuring._has_attention(model)
    model.graph.node.append(helper.make_node("Softmax", ["output"], ["more"]))
    assert measuring._has_attention(model)


def test_every_arm_has_its_figures_or_the_reason(make_study, fake_networks, monkeypatch):
    def time_interleaved(tasks, threads, rounds, progress):
        assert list(tasks) == ["a, float32", "a, int8", "wide, float32", "wide, int8"]
        assert (threads, rounds) == (3, 7)
        found = {key: Timing([3.0, 1.0, 2.0]) for key in tasks}
        return found | {"wide, int8": Timing(error="died")}

    monkeypatch.setattr(measuring, "time_interleaved", time_interleaved)
    study = make_study(
        arms={
            "a": {},
            "same": dict(overrides={"model.seed": 1}),
            "wide": dict(overrides={"model.width": 8}),
            "odd": dict(overrides={"model.export": "no way"}),
        }
    )
    said = []
    latencies = measure(study, size=64, threads=3, rounds=7, progress=said.append)

    setting = {name: getattr(latencies.arms[0], name) for name in LATENCY_SETTING}
    shared = make_latency("a", "float32", 2.0, 3.0, 3, 4000, **setting)
    assert latencies.arms == (
        shared,
        replace(shared, precision="int8"),
        replace(shared, arm="same"),
        replace(shared, arm="same", precision="int8"),
        replace(shared, arm="wide", macs=8000),
        make_latency("wide", "int8", macs=8000, note="died", **setting),
        *(
            make_latency("odd", p, macs=4000, note="not measured: RuntimeError: no way", **setting)
            for p in PRECISIONS
        ),
    )
    setting = latencies.arms[0]
    assert (setting.size, setting.threads) == (64, 3)
    assert setting.engine.startswith("OpenVINO 2")
    assert setting.command.endswith("studies/small.py --size 64 --threads 3 --rounds 7")
    assert said == ["export a", "export same", "export wide", "export odd"]


def test_a_wrong_override_shows_before_anything_is_exported(make_study, fake_networks):
    study = make_study(arms={"a": {}, "b": dict(overrides={"modle.width": 8})})
    with pytest.raises(StudyError, match="there is no 'modle'"):
        measure(study, size=64, threads=1, rounds=1, progress=pytest.fail)


# ---- the tool


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "100"), "--size 100: use a multiple of 16"),
        (("--rounds", "0"), "--threads and --rounds must be 1 or more"),
        (("--threads", "0"), "--threads and --rounds must be 1 or more"),
    ],
)
def test_figures_that_make_no_sense_are_refused(
    repository, write_study, arguments, message, capsys
):
    main = runpy.run_path(str(repository / "tools" / "measure_latency.py"))["main"]
    with pytest.raises(SystemExit):
        main([str(write_study()), *arguments])
    assert message in capsys.readouterr().err


@pytest.mark.end_to_end
def test_two_arms_are_measured_side_by_side(repository, write_study, tmp_path):
    demo = configs_folder() / "demo"
    student = "model.architecture"
    arms = {
        "distilled": dict(
            config=str(demo / "kd-unetpp-w8_lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py"),
            overrides={
                f"{student}.{part}.base_channels": 8 for part in ("backbone", "decode_head")
            },
        ),
        "teacher": dict(
            config=str(demo / "unetpp-w8_1xb4-400i_powder-bed-synthetic-96x96.py"),
            overrides={f"model.{part}.base_channels": 4 for part in ("backbone", "decode_head")},
        ),
    }
    path = write_study("tiny", arms=arms, compare_with="teacher")
    arguments = ["--size", "64", "--threads", "1", "--rounds", "2", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, str(repository / "tools/measure_latency.py"), str(path), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "round 2 of 2" in done.stdout
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["tiny_latency.csv"]
    with (tmp_path / "out" / "tiny_latency.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["arm"], row["precision"]) for row in rows] == [
        ("distilled", "float32"), ("distilled", "int8"),
        ("teacher", "float32"), ("teacher", "int8"),
    ]  # fmt: skip
    for row in rows:
        assert float(row["p95_ms"]) >= float(row["ms"]) > 0
        assert (row["calls"], row["note"], row["size"], row["threads"]) == ("2", "", "64", "1")
        assert int(row["macs"]) > 1_000_000
        assert row["command"] == (
            "python tools/measure_latency.py studies/tiny.py --size 64 --threads 1 --rounds 2"
        )
