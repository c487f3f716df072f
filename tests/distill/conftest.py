"""A narrow distillation, and MMRazor's own algorithm with the same weights."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample


@pytest.fixture
def config(repository) -> dict:
    init_default_scope("mmseg")  # as a runner does
    model = Config.fromfile(repository / "configs/_base_/models/kd_unetpp_lwrnet.py").model
    for net, width in (("architecture", 8), ("teacher", 4)):
        model[net].backbone.base_channels = width
        model[net].decode_head.base_channels = width
    return model


@pytest.fixture
def make(config, randomise_batch_norms):
    """Function that builds a distillation in training mode, each with the same weights."""

    def build(**changes):
        changed = copy.deepcopy(config)
        changed.update(changes)
        torch.manual_seed(0)
        algorithm = MODELS.build(changed)
        algorithm.student.init_weights()
        algorithm.teacher.init_weights()
        randomise_batch_norms(algorithm.teacher)
        randomise_batch_norms(algorithm.student, seed=1)
        algorithm.train()  # upstream's returns nothing
        return algorithm

    return build


@pytest.fixture
def batch():
    """Function that draws a batch: normalised images and their ground truth."""

    def draw(images: int = 2, size: int = 32, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        inputs = torch.randn(images, 3, size, size, generator=generator)
        samples = [SegDataSample() for _ in range(images)]
        for sample in samples:
            labels = torch.randint(0, 6, (1, size, size), generator=generator)
            sample.gt_sem_seg = PixelData(data=labels)
            sample.set_metainfo(dict(img_shape=(size, size), ori_shape=(size, size)))
        return inputs, samples

    return draw


@pytest.fixture
def teachers_records():
    """Function that runs a distillation's teacher; returns what its recorders keep of a batch."""

    def run(algorithm, inputs) -> dict[str, list]:
        algorithm.teacher_engine.run(inputs)
        recorders = algorithm.distiller.teacher_recorders.recorders
        return {name: list(recorder.data_buffer) for name, recorder in recorders.items()}

    return run
