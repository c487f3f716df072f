"""Public builds as training data, by the real tool."""

import subprocess
import sys

import cv2
import h5py
import numpy as np
import pytest

from lwam_mm.datasets.check import check_dataset
from lwam_mm.datasets.classes import CLASSES
from lwam_mm.datasets.splits import splits_from_root

NAMES = "Powder, Printed,Debris,Super-Elevation,Recoater Streaking,Burr"


@pytest.fixture
def build(tmp_path):
    """A build of 4 layers; result n is in row n, and 5 (Burr) also where 4 is."""
    path = tmp_path / "tower.hdf5"
    with h5py.File(path, "w") as file:
        for step in (0, 1):
            images = (
                np.full((4, 16, 16), 50 + step, np.uint8)
                + np.arange(4, dtype=np.uint8)[:, None, None]
            )
            file[f"slices/camera_data/visible/{step}"] = images
        for number in range(6):
            result = np.zeros((4, 16, 16), bool)
            result[:, number] = True
            result[:, 4, 8:] |= number == 5
            file[f"slices/segmentation_results/{number}"] = result
        file["slices/segmentation_results"].attrs["class_names"] = NAMES
        file.attrs["material/layer_thickness"] = 0.05
        file.attrs["printer/x_real_dimension"] = 8.0
        file.attrs["printer/x_camera_dimension"] = 16
    return path


@pytest.fixture
def run(repository, build, tmp_path):
    def start(*arguments):
        tool = repository / "tools" / "import_peregrine.py"
        command = [sys.executable, tool, build, tmp_path / "data", *arguments]
        return subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=120, check=False
        )

    return start


@pytest.mark.end_to_end
def test_a_build_becomes_a_data_set(run, tmp_path):
    done = run("--every", "2")
    assert done.returncode == 0, done.stderr
    assert (
        "Super-Elevation = Super, Recoater Streaking = Streaking, Debris is ignored" in done.stdout
    )
    stems = ["tower_recoated_00000", "tower_recoated_00002"]
    data = tmp_path / "data"
    assert sorted(path.stem for path in (data / "images/train").iterdir()) == stems
    mask = cv2.imread(str(data / f"masks/train/{stems[1]}.png"), cv2.IMREAD_UNCHANGED)
    # Powder, part, debris, ours, ours, a class that nobody named.
    assert mask[:7, 0].tolist() == [0, 0, 255, 1, 4, 255, 0]
    assert mask[4, 8] == 4  # what is ours stays, whatever else it is called
    image = cv2.imread(str(data / f"images/train/{stems[1]}.png"), cv2.IMREAD_UNCHANGED)
    assert (image == 53).all()
    assert image.ndim == 2
    train = [spec for spec in splits_from_root(data) if spec.name == "train"]
    assert not check_dataset(train, CLASSES).problems
    again = run("--every", "2")
    assert again.returncode == 2
    assert "exists: remove it" in again.stderr


def test_names_of_ones_own(run, tmp_path):
    done = run("--class", "Burr=Hopping", "--split", "val", "--step", "exposed")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "data/masks/val/tower_exposed_00003.png"
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert (mask[5, 0], mask[4, 0], mask[4, 8]) == (3, 4, 4)


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        ("Soot=Hopping", "there is no class 'Soot': name one of ['Powder'"),
        ("Burr=Bump", "Burr=Bump: name one of our classes ['Background'"),
        ("Burr", "--class takes THEIRS=OURS"),
    ],
)
def test_a_class_that_is_not_there(run, classes, told):
    done = run("--class", classes)
    assert done.returncode == 2
    assert told in done.stderr


def test_no_class_of_ours(run, build):
    with h5py.File(build, "a") as file:
        file["slices/segmentation_results"].attrs["class_names"] = "A,B,C,D,E,F"
    done = run()
    assert done.returncode == 2
    assert "say with --class THEIRS=OURS" in done.stderr
