from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from lwam_mm.deploy.exporter import Exporter
from lwam_mm.lab.benchmark.candidates import (
    PEERS,
    ROWS,
    Candidate,
    CandidateMaker,
    check_keys,
    peer_config,
    roofline_candidate,
    roofline_key,
    with_miou,
)
from lwam_mm.lab.benchmark.models import count
from lwam_mm.lab.benchmark.timing import Timing
from lwam_mm.lab.benchmark.worker import load
from lwam_mm.runtime import BundleError, write_bundle
from lwam_mm.utils.errors import UserError

# As their papers or MMSegmentation's own tables give them, within what classes and heads change.
MILLIONS = {
    "fast-scnn": 1.4, "bisenetv2": 3.35, "stdc1": 8.3, "pidnet-s": 7.7, "ddrnet-23-slim": 5.7,
    "segformer-b0": 3.7, "cgnet": 0.49,
}  # fmt: skip


@pytest.fixture
def maker(networks, student, tmp_path) -> CandidateMaker:
    return CandidateMaker(networks["teacher"], student, 1, tmp_path / "peers")


def test_rows_know_what_they_weigh(maker):
    rows = {row.key: row for row in maker.candidates(list(ROWS))}
    assert list(rows) == list(ROWS)
    assert all(row.task is not None and not row.note for row in rows.values())
    assert rows["multi-branch"].parameters > rows["folded"].parameters
    assert rows["multi-branch"].macs > rows["folded"].macs
    assert rows["openvino-int8"].macs == rows["folded"].macs
    assert rows["openvino-int8"].megabytes < rows["openvino"].megabytes
    assert rows["channels-last"].task == rows["folded"].task | dict(channels_last=True)
    assert rows["openvino-int8-file"].task["function"].endswith(":file_to_map")
    assert rows["openvino-int8-file"].roofline == "products-openvino-int8"


def test_a_row_that_cannot_be_made_stays_with_the_reason(maker, monkeypatch):
    monkeypatch.setattr(
        maker._student, "bundle", lambda key: (_ for _ in ()).throw(RuntimeError("no pnnx here"))
    )
    folded, ncnn = maker.candidates(["folded", "ncnn"])
    assert folded.task is not None
    assert (ncnn.task, ncnn.note) == (None, "not measured: RuntimeError: no pnnx here")


def test_a_peer_goes_through_the_same_exporter(maker):
    eager, exported, int8 = maker.peer_candidates("bisenetv2")
    assert [row.note for row in (eager, exported, int8)] == [""] * 3
    assert [row.title for row in (eager, exported)] == ["BiSeNetV2, eager", "BiSeNetV2, OpenVINO"]
    assert int8.megabytes < exported.megabytes / 2
    assert int8.roofline == "products-openvino-int8"


def test_a_size_of_spreadnet_has_the_students_rows(maker, student):
    rows = maker.family_candidates("spreadnet-s4")
    assert [row.key.removeprefix("spreadnet-s4-") for row in rows] == [
        "folded", "openvino", "openvino-int8", "openvino-int8-file", "ncnn", "ncnn-int8"
    ]  # fmt: skip
    assert all(row.task is not None and not row.note for row in rows)
    assert rows[2].title == "SpreadNet S4, OpenVINO INT8"
    assert rows[2].parameters == pytest.approx(0.37e6, rel=0.02)
    assert rows[2].megabytes < 0.6 * rows[1].megabytes
    assert "spreadnet" not in str(maker._student.network.folder)


def test_a_peer_that_cannot_be_exported_keeps_its_torch_row(maker, monkeypatch):
    def refuse(self):
        raise RuntimeError("no such operator")

    monkeypatch.setattr("lwam_mm.deploy.exporter.Exporter.to_onnx", refuse)
    eager, exported, int8 = maker.peer_candidates("cgnet")
    assert eager.task is not None
    assert eager.note == ""
    for row in (exported, int8):
        assert row.task is None
        assert row.parameters == eager.parameters
        assert row.note == "not measured: RuntimeError: no such operator"


def test_a_bundle_that_is_there_shows_its_own_miou(maker, student, tmp_path):
    bundle = student.bundle("openvino-int8", frames=True)
    manifest = replace(bundle.manifest, figures=dict(gate=dict(stages={"INT8": {"mIoU": 61.5}})))
    files = {name: bundle.root / name for name in manifest.files}
    write_bundle(tmp_path / "line3", manifest, files)
    row = maker.bundle_candidate(tmp_path / "line3")
    assert (row.key, row.miou) == (f"bundle:{tmp_path / 'line3'}", 61.5)
    assert row.task["bundle"] == str(tmp_path / "line3")
    with pytest.raises(BundleError):
        maker.bundle_candidate(tmp_path / "nowhere")


def test_frames_are_packed_as_the_deploy_tool_does(maker, monkeypatch, student):
    packed = []
    monkeypatch.setattr(Exporter, "pack", lambda self, model, **kind: packed.append(kind))
    student._bundles.pop(("onnxruntime", True), None)
    student.bundle("onnxruntime", frames=True)
    student._bundles.pop(("onnxruntime", True))
    assert packed == [dict(int8=False, frames=True)]


def test_miou_goes_to_all_forms_of_a_model():
    rows = [Candidate(key, key) for key in ("folded", "channels-last", "openvino-file", "ncnn")]
    found = with_miou([*rows, Candidate("bundle:a", "a", miou=5.0)], {"folded": 1, "openvino": 2})
    assert [row.miou for row in found] == [1, 1, 2, None, 5.0]


def test_unknown_keys_are_named():
    check_keys(["ncnn"], ROWS, "--rows")
    with pytest.raises(UserError, match=r"--rows tensorrt: no such row; choose from teacher"):
        check_keys(["ncnn", "tensorrt"], ROWS, "--rows")


def test_a_candidate_that_dies_says_after_how_many_calls():
    dead = Candidate("a", "A", {}, timing=Timing([1.0, 3.0], error="its process was killed"))
    assert dead.notes == ["failed after 2 calls: its process was killed"]
    failed = Candidate("a", "A", {}, note="slow", timing=Timing(error="cannot be loaded"))
    assert failed.notes == ["slow", "cannot be loaded"]
    assert Candidate("a", "A", {}, timing=Timing([1.0])).notes == []


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_is_itself(name):
    parameters, macs, elements = count(peer_config(name, 6), 128, folded=False)
    assert parameters / 1e6 == pytest.approx(MILLIONS[name], rel=0.02)
    assert macs > 10**6
    assert elements > 10**5


@pytest.mark.parametrize("name", PEERS)
def test_peers_have_six_classes_and_fetch_nothing(name):
    config = peer_config(name, 6)
    assert "Pretrained" not in str(config.model)
    assert "auxiliary_head" not in config.model
    assert config.model.test_cfg == dict(mode="whole")
    init_default_scope("mmseg")
    model = MODELS.build(config.model).to("meta").eval()
    found = model(torch.empty(1, 3, 128, 128, device="meta"), mode="tensor")
    assert found.shape[:2] == (1, 6)


@pytest.mark.parametrize(
    ("engine", "precision", "key"),
    [
        ("torch", "float32", "products-torch"),
        ("openvino", "float32", "products-openvino"),
        ("openvino", "int8", "products-openvino-int8"),
        ("onnxruntime", "int8", "products-onnxruntime-int8"),
        ("ncnn", "float16", "products-openvino"),
    ],
)
def test_each_candidate_has_a_roofline_that_runs(engine, precision, key, tmp_path, monkeypatch):
    monkeypatch.setattr("lwam_mm.lab.benchmark.candidates.PRODUCT_ROWS", 32)
    monkeypatch.setattr("lwam_mm.lab.benchmark.candidates.PRODUCT_SIDE", 64)
    assert roofline_key(engine, precision) == key
    candidate = roofline_candidate(key, tmp_path, threads=1)
    assert candidate.macs == 32 * 64 * 64 * (8 if "int8" in key else 2)
    assert ("INT8" in candidate.title) == ("int8" in key)
    call = load(candidate.task)
    assert call() is not None
