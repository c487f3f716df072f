"""The configs: short leaves, each with its purpose, composed of shared parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
LEAVES = [path for path in sorted(CONFIGS.glob("*/*.py")) if path.parent.name != "_base_"]
MODELS = CONFIGS / "_base_" / "models"
# Studies list their arms, and some need more lines than that.
LONG = {
    "frames_polito",
    "peers_neu-seg",
    *(
        f"{study}_magnetic-tile"
        for study in ("channel-wise", "imbalance", "split", "teacher", "terms", "width")
    ),
}


def read(path: Path) -> dict:
    return Config.fromfile(path, import_custom_modules=False).to_dict()


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.py")), ids=lambda path: path.stem)
def test_the_first_line_says_what_a_config_is_for(path):
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_leaf_is_short(path):
    assert len(path.read_text().splitlines()) <= 15 or path.stem in LONG


def test_a_distillation_is_composed_of_its_two_networks():
    distillation, student, teacher = (
        read(MODELS / f"{name}.py")["model"] for name in ("kd_unetpp_lwrnet", "lwrnet", "unetpp")
    )
    assert distillation["architecture"] == student
    # The teacher sees what the student's preprocessor gives.
    assert teacher.pop("data_preprocessor") == student["data_preprocessor"]
    assert distillation["teacher"] == teacher


def test_a_pretrained_teacher_keeps_its_own_normalisation():
    distillation, student, teacher = (
        read(MODELS / f"{name}.py")["model"]
        for name in (
            "kd_unetpp_efficientnet_lite0_spreadnet",
            "spreadnet",
            "unetpp_efficientnet_lite0",
        )
    )
    assert distillation["architecture"] == student
    assert distillation["teacher"] == teacher
    own, students = teacher["data_preprocessor"], student["data_preprocessor"]
    # Its weights were trained so.
    assert (own.pop("mean"), own.pop("std")) == ([127.0] * 3, [128.0] * 3)
    del students["mean"], students["std"]
    assert own == students


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*/*kd-*.py")), ids=lambda path: path.stem)
def test_a_distillation_has_no_preprocessor_at_the_top(path):
    # A runner would hand it to MMRazor's algorithm, which looks it up in MMRazor's scope.
    assert "data_preprocessor" not in read(path)


def test_short_schedules_differ_in_numbers_alone():
    def shape(node: object) -> object:
        if isinstance(node, dict):
            return {key: shape(value) for key, value in node.items()}
        if isinstance(node, list):
            return [shape(value) for value in node]
        return "number" if type(node) in (int, float) else node

    short, longer = (
        read(CONFIGS / "_base_" / "schedules" / f"schedule_{name}.py") for name in ("400i", "1000i")
    )
    assert short != longer
    assert shape(short) == shape(longer)
