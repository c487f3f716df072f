from __future__ import annotations

import csv
import json
import re
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

from lwam_mm.lab.benchmark.timing import Timing
from lwam_mm.lab.studies import measure_latency as measuring
from lwam_mm.lab.studies.latency import (
    PRECISIONS,
    ArmLatency,
    LatencyFileError,
    StudyLatencies,
    is_latency_file,
    latency_file,
    read_latencies,
)
from lwam_mm.lab.studies.measure_latency import Exports, measure, network_config
from lwam_mm.lab.studies.report import results_page, write_report
from lwam_mm.lab.studies.results import to_csv as results_csv
from lwam_mm.lab.studies.run import runs_of
from lwam_mm.lab.studies.study import StudyError
from lwam_mm.utils.paths import configs_folder

SETTING = dict(
    engine="OpenVINO 2026.2",
    size=256,
    threads=2,
    processor="Quick, (R) 9",
    versions="lwam_mm 0.1.0, torch 2.9",
    date="2026-10-01",
    command="python tools/measure_latency.py configs/ablations/x.py --size 256",
)


def latency(arm, precision, ms=None, p95_ms=None, calls=None, macs=None, note="", **setting):
    return ArmLatency(arm, precision, ms, p95_ms, calls, macs, note, **(SETTING | setting))


def times(*arms: str, **notes: str) -> StudyLatencies:
    """1.25 ms for the first arm, twice that for the second and so on; INT8 in a tenth of it."""
    found = [
        latency(arm, precision, 1.25 * 2**index * share, 4.0, 50, 1000)
        for index, arm in enumerate(arms)
        for precision, share in zip(PRECISIONS, (1, 0.1), strict=True)
    ]
    found += [
        latency(arm, p, macs=1000, note=note) for arm, note in notes.items() for p in PRECISIONS
    ]
    return StudyLatencies(tuple(found))


def cells(text: str, heading: str) -> list[str]:
    """The cells of the row of the main table that begins with a heading."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {heading} "))
    return [cell.strip() for cell in line.split("|")[1:-1]]


@pytest.fixture
def study(make_study):
    return make_study(arms={"a": {}, "b": dict(overrides={"model.width": 8}), "c": {}})


# ---- the file


def test_times_come_back_as_they_went(study, tmp_path):
    latencies = times("a", "b", c='not measured: E: "no, no"')
    (tmp_path / "small_latency.csv").write_text(latencies.to_csv())
    back = read_latencies(tmp_path / "small.csv", study)
    assert back == latencies
    assert (back.ms("b", "float32"), back.ms("b", "int8")) == (2.5, 0.25)
    assert back.ms("c", "float32") is back.ms("never", "int8") is None
    assert back.notes == [f'c, {p}: not measured: E: "no, no"' for p in PRECISIONS]
    assert read_latencies(tmp_path / "other.csv", study) is None


def test_the_name_tells_which_file_it_is():
    file = latency_file(Path("docs/results/peers_magnetic-tile.csv"))
    assert file == Path("docs/results/peers_magnetic-tile_latency.csv")
    assert is_latency_file(file)
    assert not is_latency_file(Path("docs/results/latency.csv"))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda text: "", "there is no row"),
        (lambda text: text.splitlines()[0], "there is no row"),
        (lambda text: text.replace("p95_ms", "p96_ms"), "there is no column p95_ms"),
        (lambda text: text.replace("1.25,", "fast,"), "could not convert string to float: 'fast'"),
        (lambda text: text.replace("1.25,", "nan,"), "nan is no amount"),
        (lambda text: text.replace("1.25,", "inf,"), "inf is no amount"),
        (lambda text: text.replace(",50,", ",-1,"), "-1 is no amount"),
        (lambda text: text[: len(text) - 20], "its rows were not measured together"),
        (lambda text: text.replace("b,", "a,"), "an arm is there twice"),
        (lambda text: text.replace("int8", "int4"), "precision int4"),
        (lambda text: text.replace(",256,", ",large,"), "invalid literal for int"),
        (lambda text: text.encode("utf-16"), "codec can't decode"),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(study, tmp_path, damage, what):
    file = tmp_path / "small_latency.csv"
    damaged = damage(times("a", "b").to_csv())
    file.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    with pytest.raises(LatencyFileError) as raised:
        read_latencies(tmp_path / "small.csv", study)
    message = str(raised.value)
    assert message.startswith(f"{file}: is damaged (")
    assert what in message
    remedy = f"python tools/measure_latency.py {study.path} --out {tmp_path}, or remove the file"
    assert message.endswith(f"; measure again with {remedy}")


def test_times_of_arms_that_the_study_does_not_have_are_refused(study, tmp_path):
    (tmp_path / "small_latency.csv").write_text(times("a", "x", "w").to_csv())
    with pytest.raises(LatencyFileError, match=r"small_latency\.csv: has latencies of w, x, which"):
        read_latencies(tmp_path / "small.csv", study)


# ---- the tables


def test_a_report_shows_times_behind_the_parameters(study, make_result, tmp_path):
    for run in runs_of(study, tmp_path):
        run.folder.mkdir(parents=True)
        result = make_result(run.arm.name, run.seed, 20.0)
        run.result_file.write_text(json.dumps(result.facts | dict(metrics=result.metrics)))
    write_report(study, tmp_path, tmp_path)
    page = (tmp_path / "small.md").read_text()
    assert cells(page, "arm")[4:6] == ["parameters", "minutes"]
    assert "Weights were" not in page

    (tmp_path / "small_latency.csv").write_text(times("a", b="not measured: no").to_csv())
    write_report(study, tmp_path, tmp_path)
    page = (tmp_path / "small.md").read_text()
    assert cells(page, "arm")[4:8] == ["parameters", "ms", "ms INT8", "minutes"]
    assert cells(page, "a")[4:8] == ["0.250 M", "1.25", "0.12", "2.00"]
    assert cells(page, "b")[4:8] == ["0.250 M", "-", "-", "2.00"]  # with a note
    assert cells(page, "c")[4:8] == ["0.250 M", "-", "-", "2.00"]  # younger than the times
    assert "\n- b, float32: not measured: no\n- b, int8: not measured: no\n\n" in page
    for what in (
        "256x256 pixels", "OpenVINO 2026.2", "2 thread(s) of Quick, (R) 9", "50 calls at most",
        "drawn at random", f"on 2026-10-01 with `{SETTING['command']}`",
    ):  # fmt: skip
        assert what in page


def test_a_report_with_damaged_times_leaves_what_was_there(study, tmp_path):
    (tmp_path / "small_latency.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LatencyFileError, match="there is no column arm, calls"):
        write_report(study, tmp_path, tmp_path)
    assert not (tmp_path / "small.csv").exists()


@pytest.fixture
def make_results(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main = runpy.run_path(str(repository / "tools" / "make_results.py"))["main"]
    return lambda *argv: main([str(argument) for argument in argv])


def test_the_results_page_takes_times_for_no_study(make_results, make_result, tmp_path):
    folder = tmp_path / "docs" / "results"
    folder.mkdir(parents=True)
    (folder / "claim_latency.csv").write_text(times("student", "all").to_csv())
    with pytest.raises(SystemExit):
        make_results()

    results = [make_result(arm, 0, 20.0) for arm in ("student", "all", "dist")]
    (folder / "claim.csv").write_text(results_csv(results))
    assert make_results() == 0
    page = (tmp_path / "docs" / "results.md").read_text()
    assert page.count("\n## ") == 1
    assert cells(page, "all")[5:7] == ["2.50", "0.25"]
    assert cells(page, "dist")[5:7] == ["-", "-"]
    # As a shell gives them.
    assert make_results(*sorted(folder.glob("*.csv")), "--out", "other.md") == 0
    assert re.search(r"\| +2.50 \| +0.25 \|", (tmp_path / "other.md").read_text())

    (folder / "claim_latency.csv").write_text(times("pupil").to_csv())
    with pytest.raises(
        LatencyFileError, match=r"has latencies of pupil, which .*claim_magnetic-tile"
    ):
        results_page([folder / "claim.csv"], tmp_path / "docs" / "results.md")


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
        return 7, 1000 * self.said["width"]

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

    setting = {name: getattr(latencies.arms[0], name) for name in SETTING}
    shared = latency("a", "float32", 2.0, 3.0, 3, 4000, **setting)
    assert latencies.arms == (
        shared,
        replace(shared, precision="int8"),
        replace(shared, arm="same"),
        replace(shared, arm="same", precision="int8"),
        replace(shared, arm="wide", macs=8000),
        latency("wide", "int8", macs=8000, note="died", **setting),
        *(
            latency("odd", p, macs=4000, note="not measured: RuntimeError: no way", **setting)
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
            config=str(demo / "kd-unetpp-w8_lwrnet-w16_1xb4-1000i_powder-bed-synthetic-96x96.py"),
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
