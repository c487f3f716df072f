"""Every arm of every study that comes with the project builds its model and takes a step."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS, TRANSFORMS
from mmseg.structures import SegDataSample
from torch import nn

from lwam_mm.datasets.powder_bed import PowderBedDataset
from lwam_mm.lab.benchmark.candidates import peer_config
from lwam_mm.lab.studies.run import Run, config_of
from lwam_mm.lab.studies.study import Arm, read_study
from lwam_mm.utils.paths import configs_folder

STUDIES = sorted((configs_folder() / "ablations").glob("*.py"))
SIZE = 64
# Teachers and students keep the proportion of their widths, which the feature's term needs.
_NARROW = {"LWRNet": 4, "LWRHead": 4, "UNetPlusPlus": 4, "UNetPlusPlusHead": 4}


@cache
def study(path):
    return read_study(path)


def own_arms() -> list[tuple[str, str]]:
    """Arms with runs of their own; the shared ones are tested where they come from."""
    return [
        (path.stem, arm.name)
        for path in STUDIES
        for arm in study(path).arms.values()
        if arm.study.path == path
    ]


@cache
def batch(classes: int) -> tuple[torch.Tensor, list[SegDataSample]]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, SIZE, SIZE, generator=generator)
    samples = []
    for _ in images:
        sample = SegDataSample(metainfo=dict(img_shape=(SIZE, SIZE), ori_shape=(SIZE, SIZE)))
        labels = torch.randint(0, classes, (1, 4, 4), generator=generator)
        labels = labels.repeat_interleave(SIZE // 4, 1).repeat_interleave(SIZE // 4, 2)
        labels[0, 0, 0] = 255
        sample.gt_sem_seg = PixelData(data=labels)
        sample.gt_edge_map = PixelData(data=(labels == 1).long())
        samples.append(sample)
    return images, samples


@cache
def config_for(arm: Arm) -> Config:
    return config_of(Run(arm, 0, Path("work_dirs")))


def build(arm: Arm) -> tuple[nn.Module, Config]:
    init_default_scope("mmseg")
    config = copy.deepcopy(config_for(arm))
    for node in _nodes(config.model):
        if node.get("type") in _NARROW:
            node["base_channels"] //= _NARROW[node["type"]]
    torch.manual_seed(0)
    return revert_sync_batchnorm(MODELS.build(config.model)).train(), config


def _nodes(tree):
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        for branch in tree:
            yield from _nodes(branch)


@pytest.mark.parametrize(("name", "arm"), own_arms())
def test_each_arm_takes_a_step(name, arm):
    arm = study(configs_folder() / "ablations" / f"{name}.py").arms[arm]
    model, config = build(arm)
    images, samples = batch(len(config.get("metainfo", PowderBedDataset.METAINFO)["classes"]))
    if arm.teacher and model.teacher_engine.wants_calibration:
        model.teacher_engine.calibration = images.split(1)  # CalibrateTeacherHook's task
    with torch.autocast("cpu", torch.bfloat16, enabled=arm.study.amp):  # as tools/train.py --amp
        losses = model.loss(images, samples)
    terms = {key: value for key, value in losses.items() if "loss" in key}
    loss = sum(v if torch.is_tensor(v) else sum(v) for v in terms.values())
    assert torch.isfinite(loss)
    loss.backward()
    student = model.architecture if arm.teacher else model
    assert student.decode_head.conv_seg.weight.grad.abs().max() > 0
    if arm.teacher:
        wanted = set(config.model.distiller.distill_losses)
        assert {key.removeprefix("distill.") for key in terms if "distill." in key} == wanted
        assert all(losses[f"distill.{term}"] > 0 for term in wanted)
        assert not any(p.grad is not None for p in model.teacher.parameters())


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_arms_of_a_study_differ(path):
    """Two arms of one config would be one, trained twice."""
    configs = {}
    for arm in study(path).arms.values():
        config = config_for(arm).to_dict()
        config.pop("work_dir")
        config.pop("optim_wrapper")
        for other, seen in configs.items():
            assert config != seen, f"{arm.name} is {other}"
        configs[arm.name] = config


@pytest.mark.parametrize("peer", ["fast-scnn", "bisenetv2", "stdc1", "pidnet-s", "segformer-b0"])
def test_a_peer_is_trained_as_the_benchmark_times_it(peer):
    arm = study(configs_folder() / "ablations" / "peers_magnetic-tile.py").arms[peer]
    config = config_for(arm)
    init_default_scope("mmseg")
    ours, timed = (MODELS.build(c.model) for c in (config, peer_config(peer, 6)))
    shapes = [
        {
            name: value.shape
            for name, value in net.state_dict().items()
            if not name.startswith("auxiliary_head")
        }
        for net in (ours, timed)
    ]
    assert shapes[0] == shapes[1]
    assert "Pretrained" not in str(config.model)


def test_pidnet_gets_the_edges_that_it_learns_from():
    arm = study(configs_folder() / "ablations" / "peers_magnetic-tile.py").arms["pidnet-s"]
    pipeline = config_for(arm).train_dataloader.dataset.pipeline
    assert [step.type for step in pipeline][-2:] == ["GenerateEdge", "PackSegInputs"]
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 3
    packed = dict(img=np.zeros((16, 16, 3), np.uint8), gt_seg_map=mask, img_shape=(16, 16))
    packed["seg_fields"] = ["gt_seg_map"]
    for step in pipeline[-2:]:
        packed = TRANSFORMS.build(step)(packed)
    edges = packed["data_samples"].gt_edge_map.data
    assert edges[0, 4, 4] == 1
    assert edges[0, 0, 0] == edges[0, 8, 8] == 0
