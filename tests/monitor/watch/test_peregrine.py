"""Small files in Peregrine's layout."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from lwam_mm.monitor.watch.peregrine import PeregrineBuild, PeregrineError


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
    assert (build.name, build.layers) == ("build", 3)
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
    with pytest.raises(PeregrineError, match=r"material/layer_thickness is no number or missing"):
        PeregrineBuild(new_file(without=["material/layer_thickness"]))
    with pytest.raises(PeregrineError, match="neither slices/camera_data/visible nor"):
        PeregrineBuild(new_file("infrared"))
    with pytest.raises(PeregrineError, match="has no layer 3: give 0 to 2"):
        PeregrineBuild(new_file()).frame(3, "exposed")
    (tmp_path / "cut.hdf5").write_bytes(new_file().read_bytes()[:900])
    with pytest.raises(PeregrineError, match=r"cut\.hdf5 cannot be read as HDF5"):
        PeregrineBuild(tmp_path / "cut.hdf5")
