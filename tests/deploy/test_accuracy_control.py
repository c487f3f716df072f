from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from lwam_mm.deploy import accuracy_control
from lwam_mm.deploy.accuracy_control import quantize_within
from lwam_mm.deploy.gate import Limits
from lwam_mm.runtime import Bundle, Manifest

CLASSES = ("Background", "Super")


def bundle_of(name):
    manifest = Manifest(CLASSES, (), "engine", "int8", "model", None, None)
    return Bundle(Path(name), manifest)


@pytest.fixture
def world(monkeypatch):
    """Models are names; what each scores is given, and what accuracy control was asked is kept."""
    scores = {
        "float": dict(mIoU=50.0, Background=90.0, Super=10.0),
        "plain": dict(mIoU=49.0, Background=90.0, Super=8.0),
        "controlled": dict(mIoU=50.0, Background=90.0, Super=10.0),
    }
    asked = {}

    def gate(stages, samples, classes, limits):
        (name,) = stages.values()
        return SimpleNamespace(stages={"INT8": scores[name]})

    def control(model, images, validate, max_drop):
        asked.update(
            drop=validate(model) - validate("plain"),
            max_drop=max_drop,
            float=validate(model),
            lossless=validate("controlled"),
        )
        return SimpleNamespace(model="controlled", float_layers=("conv",))

    monkeypatch.setattr(accuracy_control, "Predictor", lambda root: root)
    monkeypatch.setattr(accuracy_control, "bundle_stage", lambda root: root.name)
    monkeypatch.setattr(accuracy_control, "run_gate", gate)
    monkeypatch.setattr(accuracy_control, "quantize", lambda model, images: "plain")
    monkeypatch.setattr(accuracy_control, "quantize_with_accuracy_control", control)
    return asked


def run(limits):
    return quantize_within("float", [], bundle_of, bundle_of("float"), [], limits)


@pytest.mark.parametrize(
    "limits", [None, Limits(), Limits(miou=1.0), Limits(class_iou=2.0), Limits(1e-9, 100)]
)
def test_plain_int8_within_the_limits_is_taken(world, limits):
    result = run(limits)
    assert result.root == Path("plain")
    assert result.manifest.provenance["int8"] == dict(
        calibration_images=0, accuracy_control=False, float_layers=[]
    )
    assert not world


@pytest.mark.parametrize(
    ("limits", "drop"),
    [
        (Limits(miou=0.5), 2.0),
        (Limits(class_iou=1.0), 2.0),
        (Limits(miou=0.9, class_iou=0.5), 4.0),
        (Limits(miou=0.0), 1e6),
    ],
)
def test_outside_them_layers_return_to_float(world, limits, drop):
    """The drop is counted in limits: the tightest decides, and one of them may be used up."""
    result = run(limits)
    assert result.root == Path("controlled")
    assert result.manifest.provenance["int8"] == dict(
        calibration_images=0, accuracy_control=True, float_layers=["conv"]
    )
    assert world == dict(drop=drop, max_drop=1.0, float=0.0, lossless=0.0)
