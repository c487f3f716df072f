from __future__ import annotations

import pytest

from lwam_mm.deploy.exporter import Exporter
from lwam_mm.lab.benchmark import plan as plans
from lwam_mm.lab.benchmark.plan import ROWS, Plan, check_keys, with_miou
from lwam_mm.lab.benchmark.row import Row
from lwam_mm.runtime import BundleError, write_bundle
from lwam_mm.utils.errors import UserError


@pytest.fixture
def plan(networks, student, tmp_path) -> Plan:
    return Plan(networks["teacher"], student, 1, tmp_path / "peers")


def test_rows_know_what_they_weigh(plan):
    rows = {row.key: row for row in plan.rows(list(ROWS))}
    assert list(rows) == list(ROWS)
    assert all(row.job is not None and not row.note for row in rows.values())
    assert rows["multi-branch"].parameters > rows["folded"].parameters
    assert rows["multi-branch"].macs > rows["folded"].macs
    assert rows["openvino-int8"].macs == rows["folded"].macs
    assert rows["openvino-int8"].megabytes < rows["openvino"].megabytes
    assert rows["channels-last"].job == rows["folded"].job | dict(channels_last=True)
    assert rows["openvino-int8-file"].job["name"] == "file_to_map"
    assert rows["openvino-int8-file"].ceiling == "products-openvino-int8"


def test_a_row_that_cannot_be_made_stays_with_the_reason(plan, monkeypatch):
    monkeypatch.setattr(
        plan._student, "bundle", lambda key: (_ for _ in ()).throw(RuntimeError("no pnnx here"))
    )
    folded, ncnn = plan.rows(["folded", "ncnn"])
    assert folded.job is not None
    assert (ncnn.job, ncnn.note) == (None, "not measured: RuntimeError: no pnnx here")


def test_a_peer_goes_through_the_same_exporter(plan):
    eager, exported, int8 = plan.peer_rows("bisenetv2")
    assert [row.note for row in (eager, exported, int8)] == [""] * 3
    assert [row.title for row in (eager, exported)] == ["BiSeNetV2, eager", "BiSeNetV2, OpenVINO"]
    assert int8.megabytes < exported.megabytes / 2
    assert int8.ceiling == "products-openvino-int8"


def test_a_peer_that_cannot_be_exported_keeps_its_torch_row(plan, monkeypatch):
    def refuse(self):
        raise RuntimeError("no such operator")

    monkeypatch.setattr("lwam_mm.deploy.exporter.Exporter.to_onnx", refuse)
    eager, exported, int8 = plan.peer_rows("cgnet")
    assert eager.job is not None
    assert eager.note == ""
    for row in (exported, int8):
        assert row.job is None
        assert row.parameters == eager.parameters
        assert row.note == "not measured: RuntimeError: no such operator"


def test_a_bundle_that_is_there_shows_its_own_miou(plan, student, tmp_path):
    bundle = student.bundle("openvino-int8", frames=True)
    manifest = plans.replace(
        bundle.manifest, figures=dict(gate=dict(stages={"INT8": {"mIoU": 61.5}}))
    )
    files = {name: bundle.root / name for name in manifest.files}
    write_bundle(tmp_path / "line3", manifest, files)
    row = plan.bundle_row(tmp_path / "line3")
    assert (row.key, row.miou) == (f"bundle:{tmp_path / 'line3'}", 61.5)
    assert row.job["bundle"] == str(tmp_path / "line3")
    with pytest.raises(BundleError):
        plan.bundle_row(tmp_path / "nowhere")


def test_frames_are_packed_as_the_deploy_tool_does(plan, monkeypatch, student):
    packed = []
    monkeypatch.setattr(Exporter, "pack", lambda self, model, **kind: packed.append(kind))
    student._bundles.pop(("onnxruntime", True), None)
    student.bundle("onnxruntime", frames=True)
    student._bundles.pop(("onnxruntime", True))
    assert packed == [dict(int8=False, frames=True)]


def test_miou_goes_to_all_forms_of_a_model():
    rows = [Row(key, key, None) for key in ("folded", "channels-last", "openvino-file", "ncnn")]
    found = with_miou([*rows, Row("bundle:a", "a", None, miou=5.0)], {"folded": 1, "openvino": 2})
    assert [row.miou for row in found] == [1, 1, 2, None, 5.0]


def test_unknown_keys_are_named():
    check_keys(["ncnn"], ROWS, "--rows")
    with pytest.raises(UserError, match=r"--rows tensorrt: no such row; give some of teacher"):
        check_keys(["ncnn", "tensorrt"], ROWS, "--rows")
