from __future__ import annotations

import pytest
import torch

from lwam_mm.distill.openvino_teacher import OpenVinoTeacher
from lwam_mm.distill.recorded_teacher import TeacherEngineError


def test_int8_teacher_is_near_and_the_same_each_time(make, batch, teachers_records):
    inputs, _ = batch(images=3)
    exact = teachers_records(make(teacher_engine=None), inputs)

    def int8():
        algorithm = make(teacher_engine="openvino-int8")
        images = [batch(1, seed=seed)[0] for seed in range(1, 5)]
        algorithm.teacher_engine.calibration = images
        return algorithm

    found = teachers_records(int8(), inputs)
    for name, (tensor,) in exact.items():
        error = (found[name][0] - tensor).square().mean().sqrt() / tensor.std()
        assert 1e-4 < error < 0.15, name
    again = teachers_records(int8(), inputs)
    assert all(torch.equal(found[name][0], again[name][0]) for name in found)
    # Quantized at the size of the images that it was calibrated on, it takes any.
    larger = int8()
    larger(*batch(size=64), mode="loss")
    assert (
        larger.distiller.teacher_recorders.get_recorder("logits").get_record_data().shape[2] == 64
    )


def test_tensors_of_one_batch_survive_the_next(make, batch, teachers_records):
    algorithm = make(teacher_engine="openvino")
    first = teachers_records(algorithm, batch(seed=1)[0])["logits"][0]
    kept = first.clone()
    teachers_records(algorithm, batch(seed=2)[0])
    assert torch.equal(first, kept)


def test_an_engine_that_answers_otherwise_is_caught(make, batch, monkeypatch):
    algorithm = make(teacher_engine="openvino")
    honest = OpenVinoTeacher.__call__
    monkeypatch.setattr(
        OpenVinoTeacher,
        "__call__",
        lambda self, images: [tensor + 0.1 for tensor in honest(self, images)],
    )
    with pytest.raises(TeacherEngineError, match="differs from torch's by"):
        algorithm(*batch(), mode="loss")
