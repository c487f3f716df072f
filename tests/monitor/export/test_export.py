"""Each format, read back by something else than what wrote it."""

import csv
import struct
import subprocess
import sys
import zlib
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from drawn_layers import CONFIG, write_layer
from recorded_build import record_layer
from sqlalchemy import select
from tiny_bundle import tiny_manifest

from lwam_mm.datasets.check import check_dataset
from lwam_mm.datasets.splits import splits_from_root
from lwam_mm.monitor.export.dataset import judge_mask
from lwam_mm.monitor.export.export import export
from lwam_mm.monitor.export.exported import ExportError
from lwam_mm.monitor.export.stl import boxes_of
from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.monitor.record.store import RecordError, add_document, now
from lwam_mm.monitor.record.tables import Alarm, Layer, Region
from lwam_mm.monitor.watch.peregrine import PeregrineBuild

CLASSES = ("Background", "Super", "Incomplete")


def read_vti(path):
    """Read a VTI file by its specification: its attributes, and (layers, rows, columns)."""
    data = path.read_bytes()
    start = data.index(b'<AppendedData encoding="raw">')
    begin = data.index(b"_", start) + 1
    root = ElementTree.fromstring(data[:start] + b"</VTKFile>")
    image = root.find("ImageData")
    extent = [int(value) for value in image.get("WholeExtent").split()]
    count, size, last = struct.unpack_from("<3Q", data, begin)
    assert last == 0
    sizes = struct.unpack_from(f"<{count}Q", data, begin + 24)
    place, slices = begin + 24 + 8 * count, []
    for packed in sizes:
        slices.append(zlib.decompress(data[place : place + packed]))
        assert len(slices[-1]) == size
        place += packed
    volume = np.frombuffer(b"".join(slices), np.uint8)
    names = bytes(int(b) for b in image.find("FieldData/DataArray").text.split())
    image.set("classes", names.decode())
    return image, volume.reshape(extent[5], extent[3], extent[1])


def test_a_volume_in_mm(exported, tmp_path):
    told = export(exported(), "vti", tmp_path / "b.vti")
    image, volume = read_vti(tmp_path / "b.vti")
    assert volume.shape == (6, 64, 64)
    assert [float(v) for v in image.get("Spacing").split()] == pytest.approx([0.5, 0.5, 0.03])
    assert [float(v) for v in image.get("Origin").split()] == pytest.approx([10, 20, 0])
    assert image.get("classes") == "Background\0Super\0Incomplete\0"
    # Rows 10 to 18 of the frame are y = 52 - 0.5 * row; the volume's y begins at 20.
    layers, rows, columns = np.nonzero(volume == 1)
    assert set(layers) == {2}
    assert (columns.min(), columns.max() + 1) == (20, 28)
    assert (rows.min(), rows.max() + 1) == (64 - 18, 64 - 10)
    assert (volume[4] == 255).all()  # missing
    assert (volume[5] == 255).all()  # not inspected
    assert not volume[[0, 1, 3]].any()
    assert "2 layers of which nothing is known" in told


def test_a_volume_within_a_bound_keeps_small_defects(record, images, exported, tmp_path):
    layer = record_layer(record, 7, images=images)
    labels = np.zeros((64, 64), np.uint8)
    labels[33, 41] = 2
    with record.writing() as session:
        row = session.get_one(Layer, layer)
        row.mask_path = record.save_mask("B1", "tiny", labels)
    for plate in (None, exported().plate):
        path = tmp_path / f"{plate is None}.vti"
        export(exported(plate), "vti", path, max_mb=0.002)
        _, volume = read_vti(path)
        assert volume.size <= 2000
        assert (volume[6] == 2).any()


def test_of_what_the_camera_does_not_see_nothing_is_known(exported, tmp_path):
    frame = [(0, 0), (64, 0), (64, 64), (0, 64)]
    askew = Plate(frame, [(16, 0), (32, 16), (16, 32), (0, 16)])
    export(exported(askew), "vti", tmp_path / "b.vti")
    _, volume = read_vti(tmp_path / "b.vti")
    assert (volume[2][[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
    assert (volume[2] == 255).mean() == pytest.approx(0.5, abs=0.05)


def test_classes_keep_their_names_when_the_model_changes(record, images, exported, tmp_path):
    layer = record_layer(record, 7, images=images, verdict="critical")
    other = tiny_manifest(classes=("Background", "Incomplete", "Super"))
    with record.writing() as session:
        row = session.get_one(Layer, layer)
        row.model_sha256 = add_document(session, "model", other.to_json())
        row.mask_path = record.save_mask("B1", "two", np.full((64, 64), 2, np.uint8))
    build = exported()
    assert build.classes == ("Background", "Incomplete", "Super")
    export(build, "vti", tmp_path / "b.vti")
    _, volume = read_vti(tmp_path / "b.vti")
    assert set(np.unique(volume[2])) == {0, 2}  # of the first model, whose Super was 1
    assert (volume[6] == 2).all()


def test_without_plate_coordinates_a_volume_is_in_px(exported, tmp_path):
    told = export(exported(None, None), "vti", tmp_path / "b.vti")
    image, volume = read_vti(tmp_path / "b.vti")
    assert image.get("Spacing") == "1 1 1"
    assert (volume[2, 10:18, 20:28] == 1).all()
    assert "x and y in px, z in layers" in told


def test_peregrines_layout_is_read_back(exported, tmp_path, images):
    (images / "recoated_00002.png").unlink()
    told = export(exported(), "hdf5", tmp_path / "b.hdf5")
    assert "1 images are gone" in told
    build = PeregrineBuild(tmp_path / "b.hdf5")
    assert build.layers == {"recoated": 6, "exposed": 6}
    assert (build.layer_height_um, build.mm_per_px) == (30, pytest.approx(0.5))
    assert build.class_names == ("Background", "Super", "Incomplete")
    frame = cv2.imread(str(images / "recoated_00003.png"))
    assert (build.frame(2, "recoated") == frame).all()
    assert not build.frame(1, "recoated").any()
    assert not build.frame(2, "exposed").any()
    labels = build.labels(2, {"Super": "Incomplete"}, ("Background", "Incomplete"))
    assert labels[10:18, 20:28].all()
    assert labels.sum() == 64
    assert not build.labels(5, {"Super": "Super"}, ("Background", "Super")).any()


def read_stl(path):
    data = path.read_bytes()
    (count,) = struct.unpack_from("<I", data, 80)
    assert len(data) == 84 + 50 * count
    rows = np.frombuffer(data, [("v", "<f4", 12), ("a", "<u2")], offset=84)["v"].astype(float)
    return rows[:, :3], rows[:, 3:].reshape(-1, 3, 3)


def test_solids_are_closed_and_lie_where_the_regions_are(exported, tmp_path):
    export(exported(), "stl", tmp_path / "b.stl")
    normals, triangles = read_stl(tmp_path / "b.stl")
    # 8 x 8 px of 0.5 mm, one layer of 0.03 mm high, the third.
    assert triangles[..., 0].min() == pytest.approx(20)
    assert triangles[..., 0].max() == pytest.approx(24)
    assert triangles[..., 1].min() == pytest.approx(43)
    assert triangles[..., 1].max() == pytest.approx(47)
    assert triangles[..., 2].min() == pytest.approx(0.06)
    assert triangles[..., 2].max() == pytest.approx(0.09)
    volume = np.einsum("ij,ij->i", triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2]))
    assert volume.sum() / 6 == pytest.approx(4 * 4 * 0.03, rel=1e-4)  # outwards: positive
    edges = {}
    for triangle in triangles.round(5):
        for a, b in ((0, 1), (1, 2), (2, 0)):
            key = (tuple(triangle[a]), tuple(triangle[b]))
            edges[key] = edges.get(key, 0) + 1
    assert all(edges[b, a] == count for (a, b), count in edges.items())
    centre = triangles.mean(axis=(0, 1))
    assert (np.einsum("ij,ij->i", normals, triangles.mean(axis=1) - centre) > 0).all()


def test_solids_that_no_bound_is_small_enough_for_are_refused(exported, tmp_path):
    with pytest.raises(ExportError, match=r"--max-mb 0.0001: the least is 0.0006 MB: give more"):
        export(exported(), "stl", tmp_path / "b.stl", max_mb=0.0001)
    assert list(tmp_path.glob("*.stl")) == []


def test_boxes_cover_a_mask_exactly():
    mask = np.random.default_rng(0).integers(0, 3, (20, 31), np.uint8)
    mask[5:12, 3:17] = 1
    covered = np.zeros_like(mask)
    for left, top, right, bottom in boxes_of(mask):
        assert not covered[top:bottom, left:right].any()
        covered[top:bottom, left:right] = mask[top, left]
    assert (covered == mask).all()


def test_tables_hold_what_the_record_holds(record, exported, tmp_path):
    with record.writing() as session:
        session.scalars(select(Alarm)).one().note = '=HYPERLINK("x"), größer'
    export(exported(), "csv", tmp_path / "tables")

    def read(name):
        with (tmp_path / "tables" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    layers = read("layers.csv")
    assert [row["verdict"] for row in layers][2:] == [
        *("critical", "ok", "not_inspected", "not_inspected")
    ]
    (region,) = read("regions.csv")
    assert (region["layer"], region["class_name"], region["area_mm2"]) == ("3", "Super", "4.0")
    (track,) = read("tracks.csv")
    assert track["number"] == region["track"] == "3"
    (alarm,) = read("alarms.csv")
    assert alarm["note"] == '\'=HYPERLINK("x"), größer'  # no formula


def judge(record, verdict):
    with record.writing() as session:
        for alarm in session.scalars(select(Alarm)):
            alarm.operator_verdict = verdict


def test_verdicts_become_training_data(record, images, exported, tmp_path):
    out = tmp_path / "data"
    with pytest.raises(ExportError, match="judge them on the page"):
        export(exported(), "dataset", out)
    judge(record, "real")
    export(exported(), "dataset", out)
    train = [split for split in splits_from_root(out) if split.name == "train"]
    assert not check_dataset(train, CLASSES).problems
    record_layer(record, 3, build="B2", images=images, verdict="critical")
    judge(record, "false")
    export(exported(name="B2"), "dataset", out, side="val")
    real = cv2.imread(str(out / "masks/train/B1_recoated_000003_0.png"), cv2.IMREAD_UNCHANGED)
    assert (real[10:18, 20:28] == 1).all()
    assert real.sum() == 64
    false = cv2.imread(str(out / "masks/val/B2_recoated_000003_0.png"), cv2.IMREAD_UNCHANGED)
    assert not false.any()
    image = cv2.imread(str(out / "images/val/B2_recoated_000003_0.png"))
    assert (image == cv2.imread(str(images / "recoated_00003.png"))).all()
    with pytest.raises(ExportError, match="was exported before"):
        export(exported(name="B2"), "dataset", out, side="val")
    record_layer(record, 3, build="../B3", images=images, verdict="critical")
    judge(record, "real")
    export(exported(name="../B3"), "dataset", out, side="test")
    assert len(list((out / "images/test").iterdir())) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "images", "record"]


def test_what_nobody_judged_is_ignored():
    labels = np.zeros((8, 12), np.uint8)
    labels[1:3, 1:3], labels[1:3, 5:7], labels[5:7, 1:3], labels[5:7, 8:10] = 1, 1, 2, 2

    def region(name, x, y):
        return Region(class_name=name, area_px=4, x=x, y=y, width=2, height=2)

    judged = [(region("A", 1, 1), "real"), (region("A", 5, 1), "false")]
    truth = judge_mask(labels, judged, ("-", "A", "B"))
    assert (truth[1:3, 1:3] == 1).all()
    assert (truth[1:3, 5:7] == 0).all()
    assert (truth[5:7] == np.where(labels[5:7] == 0, 0, 255)).all()
    assert (truth[labels == 0] == 0).all()


def test_a_region_that_the_region_of_interest_cut_is_found_in_the_mask():
    labels = np.zeros((8, 12), np.uint8)
    labels[2:4, 0:6] = 1  # the region of interest begins at column 3
    labels[2, 9] = 1
    region = Region(class_name="A", area_px=6, x=3, y=2, width=3, height=2)
    truth = judge_mask(labels, [(region, "false")], ("-", "A"))
    assert truth[2, :].tolist() == [255] * 3 + [0] * 6 + [255] + [0] * 2


def add_alarm(record, layer, verdict, track=None, message="Super", severity="minor"):
    with record.writing() as session:
        session.add(
            Alarm(
                build_id=1, layer_id=layer, kind="defect", severity=severity, class_name="Super",
                track_id=track, message=message, raised_at=now(), operator_verdict=verdict,
            )
        )  # fmt: skip


def test_an_alarm_that_nobody_judged_does_not_hide_what_was_said(record, build, exported, tmp_path):
    judge(record, "real")
    with record.reading() as session:
        track = session.scalar(select(Alarm.track_id))
    add_alarm(record, build[2], None, track)  # the same track, by the minor rule
    export(exported(), "dataset", tmp_path / "data")
    (mask,) = (tmp_path / "data/masks/train").iterdir()
    assert cv2.imread(str(mask), cv2.IMREAD_UNCHANGED).sum() == 64


def test_a_verdict_on_a_late_layer_is_exported(record, build, exported, tmp_path):
    """Such a layer is no part of a track."""
    with record.writing() as session:
        region = session.scalars(select(Region)).one()
        region.track_id = None
        session.delete(session.scalars(select(Alarm)).one())
        other = {"x": 0, "y": 40, "centre_x": 3.5, "plate_x_mm": 1.0, "area_px": 64}
        session.add(Region(layer_id=region.layer_id, class_name="Super", width=8, height=8,
                           centre_y=43.5, **other))  # fmt: skip
    add_alarm(record, build[2], "false", message="Super: 4.00 mm² at (5.9, 12.6) mm on part 2")
    add_alarm(record, build[3], "real", message="Super: 4.00 mm² at (9.9, 12.6) mm")
    told = export(exported(), "dataset", tmp_path / "data")
    assert "wrote 1 frames" in told
    (mask,) = (tmp_path / "data/masks/train").iterdir()
    assert not cv2.imread(str(mask), cv2.IMREAD_UNCHANGED).any()


def test_an_export_that_is_there_is_found_before_anything_is_written(
    record, images, exported, tmp_path
):
    judge(record, "real")
    export(exported(), "dataset", tmp_path / "data")
    before = sorted((tmp_path / "data").rglob("*"))
    record_layer(record, 2, images=images, verdict="critical", revision=1)
    judge(record, "real")
    with pytest.raises(ExportError, match="was exported before"):
        export(exported(), "dataset", tmp_path / "data")
    assert sorted((tmp_path / "data").rglob("*")) == before


def test_what_is_missing_is_named(exported, tmp_path):
    for form, plate, height, told in (
        ("stl", None, 30, "measure.image_points"),
        ("hdf5", None, 30, "measure.image_points"),
        ("stl", exported().plate, None, "watch.layer_height_um"),
    ):
        with pytest.raises(ExportError, match=told):
            export(exported(plate, height), form, tmp_path / "b.out")
        assert not (tmp_path / "b.out").exists()
    with pytest.raises(RecordError, match="name one of B1"):
        exported(name="B9")
    with pytest.raises(RecordError, match="no layers exposed"):
        exported(step="exposed")


@pytest.mark.parametrize("form", ["vti", "hdf5", "csv", "stl"])
def test_nothing_is_written_over(exported, tmp_path, form):
    (tmp_path / "there").write_text("mine")
    with pytest.raises(ExportError, match="there exists"):
        export(exported(), form, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"


def test_the_tool_exports(repository, place):
    section = "layer_height_um = 30\n[model]"
    (place / "monitor.toml").write_text(CONFIG.replace("[model]", section))
    for number in range(1, 6):
        write_layer(place / "watched" / f"B_{number}.png", number, defect=number == 4)

    def tool(*arguments):
        command = [sys.executable, repository / "tools" / "monitor.py", *arguments]
        return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)

    assert tool("run", "monitor.toml", "--once").returncode == 3
    done = tool("export", "monitor.toml", "--build", "B", "--format", "vti", "--out", "b.vti")
    assert done.returncode == 0, done.stderr
    _, volume = read_vti(place / "b.vti")
    assert (volume[3] == 2).sum() == 36
    done = tool("export", "monitor.toml", "--build", "B", "--format", "stl", "--out", "b.stl")
    assert done.returncode == 2
    assert "measure.image_points" in done.stderr


def test_a_solid_file_says_of_how_many_layers_nothing_is_known(exported, tmp_path, record, capfd):
    assert "of 2 layers nothing is known" in export(exported(), "stl", tmp_path / "b.stl")
    for mask in (record.folder / "masks").rglob("*.png"):
        mask.unlink()
    told = export(exported(), "stl", tmp_path / "c.stl")
    assert "0 boxes; of 6 layers nothing is known" in told
    assert "imread" not in capfd.readouterr().err


@pytest.mark.parametrize("first_height", [30.0, None])
def test_heights_say_where_a_build_begins_that_counts_from_0(
    record, exported, tmp_path, first_height
):
    with record.writing() as session:
        for layer in session.scalars(select(Layer)):
            layer.number -= 1
            layer.height_um = None if first_height is None else 30.0 * layer.number + first_height
    export(exported(), "stl", tmp_path / "b.stl")
    _, triangles = read_stl(tmp_path / "b.stl")
    begin = 0.0 if first_height else -0.03
    heights = sorted(set(triangles[:, :, 2].ravel().round(4)))
    assert heights == pytest.approx([begin + 0.06, begin + 0.09])
    export(exported(), "vti", tmp_path / "b.vti")
    image, _ = read_vti(tmp_path / "b.vti")
    assert float(image.get("Origin").split()[2]) == pytest.approx(begin)


@pytest.mark.parametrize("form", ["vti", "stl"])
@pytest.mark.parametrize("bound", [0, -1, float("nan"), 1e-7])
def test_a_bound_that_cannot_be_kept_is_refused(exported, tmp_path, form, bound):
    with pytest.raises(ExportError, match=r"--max-mb .*: give more"):
        export(exported(), form, tmp_path / "b.out", max_mb=bound)
    assert not list(tmp_path.glob("*.out"))
