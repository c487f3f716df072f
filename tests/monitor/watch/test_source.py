"""A build in Peregrine's HDF5 layout as the source of the monitor."""

import cv2
import h5py
import numpy as np
import pytest
from drawn_layers import CONFIG, draw_layer
from sqlalchemy import select

from lwam_mm.monitor.config.config import parse_config
from lwam_mm.monitor.record.tables import Arrival, Layer, Region
from lwam_mm.monitor.view.pictures import PictureGoneError, frame_jpeg, frame_of
from lwam_mm.monitor.watch.peregrine import PeregrineError
from lwam_mm.monitor.watch.source import PeregrineSource, read_recorded
from lwam_mm.utils.errors import ConfigError

PEREGRINE = CONFIG.replace('folder = "watched"\n', 'peregrine = "tower.hdf5"\n').replace(
    "pattern = '(?P<build>[A-Z]+)_(?P<layer>[0-9]+).*[.]png'\n", ""
)


def write_build(path, layers, parts=True):
    """Write a build of 64 x 64 px: 32 mm. The last layer has a defect after spreading."""
    with h5py.File(path, "w") as file:
        for step in (0, 1):
            file[f"slices/camera_data/visible/{step}"] = np.stack(
                [
                    draw_layer(2 * n + step, defect=step == 1 and n == layers - 1)
                    for n in range(layers)
                ]
            )
        if parts:
            ids = np.zeros((layers, 64, 64), np.uint32)
            ids[:, 38:50, 28:40] = 7
            file["slices/part_ids"] = ids
        file.attrs["material/layer_thickness"] = 0.05
        file.attrs["printer/x_real_dimension"] = 32.0
        file.attrs["printer/x_camera_dimension"] = 64


def rows(monitor, table):
    with monitor.record.reading() as session:
        return session.scalars(select(table).order_by(table.id)).all()


def test_all_layers_of_both_steps_are_taken(place, new_monitor):
    write_build(place / "tower.hdf5", 4)
    monitor = new_monitor(text=PEREGRINE)
    monitor.run(once=True)
    layers = rows(monitor, Layer)
    assert [(layer.number, layer.step) for layer in layers] == [
        (number, step) for number in range(4) for step in ("recoated", "exposed")
    ]
    assert [layer.height_um for layer in layers[:3]] == pytest.approx([50, 50, 100])
    assert [layer.verdict for layer in layers] == ["ok"] * 6 + ["critical", "ok"]
    (region,) = rows(monitor, Region)
    # 6 x 6 px of 0.5 mm, on the part that the file calls 7; y to the back.
    assert (region.area_mm2, region.part_id) == (pytest.approx(9), 7)
    assert (region.plate_x_mm, region.plate_y_mm) == (pytest.approx(16.25), pytest.approx(10.75))
    # Its pictures are there for page and report.
    assert (frame_of(monitor.record, layers[6]) == draw_layer(7, defect=True)).all()
    assert frame_jpeg(monitor.record, layers[6], 32)
    (place / "tower.hdf5").unlink()
    with pytest.raises(PictureGoneError, match="is gone"):
        frame_of(monitor.record, layers[6])


def test_a_restart_doubles_nothing_and_a_file_that_grows_is_followed(place, new_monitor):
    write_build(place / "tower.hdf5", 2)
    new_monitor(text=PEREGRINE).run(once=True)
    again = new_monitor()
    again.run(once=True)
    assert len(rows(again, Layer)) == len(rows(again, Arrival)) == 4
    write_build(place / "tower.hdf5", 3)
    for _ in range(4):
        again.poll()
    assert [layer.number for layer in rows(again, Layer)] == [0, 0, 1, 1, 2, 2]


def test_a_layer_is_taken_before_it_is_melted(place, new_monitor):
    """The file grows by one image after the other, and whoever writes it keeps it open."""
    write_build(place / "tower.hdf5", 2, parts=False)
    with h5py.File(place / "tower.hdf5", "a") as file:
        for step in "01":
            images = file[f"slices/camera_data/visible/{step}"][()]
            del file[f"slices/camera_data/visible/{step}"]
            file.create_dataset(
                f"slices/camera_data/visible/{step}",
                data=images,
                chunks=(1, 64, 64, 3),
                maxshape=(None, 64, 64, 3),
                compression="gzip",
            )
    monitor = new_monitor(text=PEREGRINE)
    monitor.run(once=True)
    # Within one process, HDF5 wants all to open a file alike.
    with h5py.File(place / "tower.hdf5", "a", locking=False) as file:
        for step, told in (("1", "recoated"), ("0", "exposed")):
            images = file[f"slices/camera_data/visible/{step}"]
            images.resize(3, axis=0)
            images[2] = draw_layer(20 + int(step))
            file.flush()
            for _ in range(4):
                monitor.poll()
            assert monitor.trouble is None
            assert (rows(monitor, Layer)[-1].number, rows(monitor, Layer)[-1].step) == (2, told)


@pytest.mark.parametrize("name", ["tower.hdf", "tower", "tower #1.h5"])
def test_the_file_may_have_any_name(place, new_monitor, name):
    write_build(place / name, 2)
    monitor = new_monitor(text=PEREGRINE.replace("tower.hdf5", name))
    monitor.run(once=True)
    layers = rows(monitor, Layer)
    assert len(layers) == 4
    assert (frame_of(monitor.record, layers[0]) == draw_layer(1)).all()


def test_an_image_in_a_folder_with_a_mark_is_no_layer_of_such_a_file(tmp_path):
    path = tmp_path / "B#recoated" / "12"
    path.parent.mkdir()
    path.write_bytes(cv2.imencode(".png", draw_layer(3))[1].tobytes())
    assert (read_recorded(str(path)).pixels == draw_layer(3)).all()


def test_a_file_that_is_not_whole_is_waited_for(place, new_monitor):
    path = place / "tower.hdf5"
    write_build(path, 2)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    monitor = new_monitor(text=PEREGRINE)
    for _ in range(4):
        monitor.poll()
    assert "tower.hdf5" in monitor.trouble
    assert rows(monitor, Layer) == []
    path.unlink()
    monitor.poll()
    assert "is not there" in monitor.trouble
    path.write_bytes(whole)
    for _ in range(4):
        monitor.poll()
    assert monitor.trouble is None
    assert len(rows(monitor, Layer)) == 4


def test_a_file_that_breaks_while_layers_wait_is_waited_for(place):
    path = place / "tower.hdf5"
    write_build(path, 2)
    source = PeregrineSource(path, stable_polls=1)
    source.poll()
    assert len(source.poll()) == 4
    path.write_bytes(path.read_bytes()[:1000])
    for _ in range(3):
        found = source.poll()
    assert found == []
    assert "tower.hdf5" in source.away


def test_a_file_that_breaks_before_its_scale_is_read_is_waited_for(place, new_monitor, monkeypatch):
    write_build(place / "tower.hdf5", 2)
    monitor = new_monitor(text=PEREGRINE)

    def broken(config):
        raise PeregrineError("tower.hdf5 cannot be read as HDF5: fetch it again")

    with monkeypatch.context() as patch:
        patch.setattr("lwam_mm.monitor.inspector.plate_of", broken)
        for _ in range(4):
            monitor.poll()
        assert (
            monitor.trouble == "the layers wait: tower.hdf5 cannot be read as HDF5: fetch it again"
        )
        assert rows(monitor, Layer) == []
    monitor.poll()
    assert monitor.trouble is None
    assert len(rows(monitor, Layer)) == 4


@pytest.mark.parametrize(
    ("watch", "told"),
    [
        ('peregrine = "a.hdf5"\nfolder = "b"', "there are two sources"),
        ('folder = "b"', "folder or pattern is missing"),
        ("", "folder or pattern is missing"),
    ],
)
def test_there_is_one_source(tmp_path, watch, told):
    with pytest.raises(ConfigError, match=told):
        parse_config(f'[watch]\n{watch}\n[model]\nbundle = "b"', tmp_path / "monitor.toml")
