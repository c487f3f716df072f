"""Small files in Peregrine's layout."""

from __future__ import annotations

from contextlib import closing

import h5py
import numpy as np
import pytest

from lwam_mm.monitor.watch.peregrine import PeregrineBuild, PeregrineError
from lwam_mm.runtime import ImageError


@pytest.fixture
def new_file(tmp_path):
    """Return a function that writes a build of 3 layers; images hold 10 * layer + step."""

    def write(camera="visible", dtype=np.uint8, without=()):
        path = tmp_path / "build.hdf5"
        white = dtype(257 if dtype is np.uint16 else 1)
        with h5py.File(path, "w") as file:
            for step in (0, 1):
                values = np.arange(3)[:, None, None] * 10 + step
                images = np.broadcast_to(values, (3, 4, 5)).astype(dtype)
                file[f"slices/camera_data/{camera}/{step}"] = images * white
            parts = np.zeros((3, 4, 5), np.uint32)
            parts[:, 1, 1] = 7
            file["slices/part_ids"] = parts
            for number in range(3):
                result = np.zeros((3, 4, 5), bool)
                result[:, number, :2] = True
                file[f"slices/segmentation_results/{number}"] = result
            names = "Powder, Recoater Streaking,Incomplete Spreading"
            file["slices/segmentation_results"].attrs["class_names"] = names
            attributes = {
                "material/layer_thickness": 0.05,
                "printer/x_real_dimension": 250.0,
                "printer/x_camera_dimension": 1000,
            }
            for name, value in attributes.items():
                if name not in without:
                    file.attrs[name] = value
        return path

    return write


@pytest.mark.parametrize("camera", ["visible", "visible light"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_build(new_file, camera, dtype):
    build = PeregrineBuild(new_file(camera, dtype))
    assert (build.name, build.layers) == ("build", {"recoated": 3, "exposed": 3})
    assert build.layer_height_um == pytest.approx(50)
    assert build.mm_per_px == pytest.approx(0.25)
    assert np.array_equal(build.frame(2, "exposed"), np.full((4, 5, 3), 20))
    assert np.array_equal(build.frame(2, "recoated"), np.full((4, 5, 3), 21))
    assert build.parts(0)[1, 1] == 7
    build.close()


def test_classes_are_mapped_by_name(new_file):
    build = PeregrineBuild(new_file())
    assert build.class_names == ("Powder", "Recoater Streaking", "Incomplete Spreading")
    ours = ("Background", "Incomplete", "Streaking")
    names = {"Incomplete Spreading": "Incomplete", "Recoater Streaking": "Streaking"}
    labels = build.labels(1, names, ours)
    assert labels[:, 0].tolist() == [0, 2, 1, 0]
    assert not labels[:, 2:].any()
    with pytest.raises(PeregrineError, match="no class 'Soot'"):
        build.labels(1, {"Soot": "Incomplete"}, ours)


def test_what_is_missing_is_named(new_file, tmp_path):
    with pytest.raises(PeregrineError, match=r"material/layer_thickness is missing: add it"):
        PeregrineBuild(new_file(without=["material/layer_thickness"]))
    with pytest.raises(PeregrineError, match="neither slices/camera_data/visible nor"):
        PeregrineBuild(new_file("infrared"))
    with pytest.raises(PeregrineError, match=r"visible/0 has no layer 3: it has 3, from 0"):
        PeregrineBuild(new_file()).frame(3, "exposed")
    (tmp_path / "cut.hdf5").write_bytes(new_file().read_bytes()[:900])
    with pytest.raises(PeregrineError, match=r"cut\.hdf5 cannot be read as HDF5"):
        PeregrineBuild(tmp_path / "cut.hdf5")


@pytest.mark.parametrize("value", [[0.05], [[0.05]], "0.05", np.bytes_(b"0.05")])
def test_a_number_may_be_written_as_a_list_or_a_text(new_file, value):
    path = new_file(without=["material/layer_thickness"])
    with h5py.File(path, "a") as file:
        file.attrs["material/layer_thickness"] = value
    assert PeregrineBuild(path).layer_height_um == pytest.approx(50)


@pytest.mark.parametrize("value", [[0.05, 0.05], "thin", h5py.Empty("f")])
def test_a_value_that_is_no_number_is_named(new_file, value):
    path = new_file(without=["material/layer_thickness"])
    with h5py.File(path, "a") as file:
        file.attrs["material/layer_thickness"] = value
    with pytest.raises(PeregrineError, match=r"material/layer_thickness is .*, no number"):
        PeregrineBuild(path)


def test_class_names_may_be_a_list(new_file):
    path = new_file()
    with h5py.File(path, "a") as file:
        names = ["Powder", "Recoater Streaking"]
        file["slices/segmentation_results"].attrs["class_names"] = names
    assert PeregrineBuild(path).class_names == ("Powder", "Recoater Streaking")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (3, r"visible/0 has the shape \(\)"),
        (np.zeros((4, 5), np.uint8), r"visible/0 has the shape \(4, 5\): give \(layers, height"),
        (h5py.ExternalLink("gone.hdf5", "/x"), "visible/0 cannot be read"),
        (None, "has no slices/camera_data/visible/0: add it"),
    ],
)
def test_what_is_no_stack_of_images_is_named(new_file, value, told):
    path = new_file()
    with h5py.File(path, "a") as file:
        del file["slices/camera_data/visible/0"]
        if value is not None:
            file["slices/camera_data/visible/0"] = value
    with pytest.raises(PeregrineError, match=told):
        PeregrineBuild(path)


def test_images_of_another_kind_are_refused_by_file_and_layer(new_file):
    with pytest.raises(ImageError, match=r"build\.hdf5: layer 1 exposed: .* dtype float32"):
        PeregrineBuild(new_file(dtype=np.float32)).frame(1, "exposed")


def test_whatever_is_broken_in_a_file_is_said(new_file):
    """Bytes at random; what is not noticed is read as it is."""
    whole = new_file().read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 40):
            data[at] = rng.integers(256)
        path = new_file()
        path.write_bytes(data)
        try:
            with closing(PeregrineBuild(path)) as build:
                build.frame(0, "recoated")
                build.parts(0)
        except (PeregrineError, ImageError):
            refused += 1
    assert refused > 20
