from __future__ import annotations

import itertools
import pickle
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.utils.data import Dataset

from lwam_mm.engine.runners import resumable_runner
from lwam_mm.engine.runners.one_buffer import OneBufferCollate
from lwam_mm.engine.runners.resumable_runner import ResumableRunner


def received(batch, **options):
    """What arrives in the main process when a worker sends ``batch``."""
    packed = OneBufferCollate(lambda samples: samples, **options)(batch)
    return pickle.loads(bytes(ForkingPickler.dumps(packed)))


TENSORS = dict(
    transposed=torch.arange(6).reshape(2, 3).t(),
    scalar=torch.tensor(3.5),
    boolean=torch.tensor([True, False]),
    bfloat16=torch.ones(3, dtype=torch.bfloat16),
    empty=torch.empty(0, 4),
    conjugate=torch.full((2,), 1 + 2j).conj(),
    negative=torch.full((2,), 1 + 2j).conj().imag,
    with_gradient=torch.ones(2, requires_grad=True),
    parameter=torch.nn.Parameter(torch.ones(2)),
    sparse=torch.eye(3).to_sparse(),
)


@pytest.mark.parametrize("kind", TENSORS)
def test_every_tensor_arrives_as_it_was(kind):
    sent = TENSORS[kind]
    found, again, number = received([sent, sent, 7])
    assert found is again
    assert number == 7
    assert (type(found), found.dtype, found.shape) == (type(sent), sent.dtype, sent.shape)
    assert found.requires_grad == sent.requires_grad
    assert torch.equal(found.to_dense(), sent.to_dense())


def test_arrays_arrive_and_everything_can_be_written():
    array, tensor = received([np.arange(5, dtype=np.int16), torch.zeros(3)])
    array += 1
    tensor += 1
    assert array.tolist() == [1, 2, 3, 4, 5]
    assert tensor.tolist() == [1, 1, 1]


def test_tensors_arrive_on_the_device_and_arrays_stay():
    tensor, array = received([torch.zeros(3), np.zeros(3)], device="meta")
    assert tensor.device.type == "meta"
    assert type(array) is np.ndarray


@pytest.mark.parametrize(("pinned", "expected"), [(False, "meta"), (True, "cpu")])
def test_batches_go_to_the_device_of_the_training_unless_they_are_pinned(
    monkeypatch, pinned, expected
):
    monkeypatch.setattr(resumable_runner, "get_device", lambda: "meta")
    sampler = dict(type="DefaultSampler", shuffle=False)
    settings = dict(dataset=Frames(), batch_size=6, num_workers=1, sampler=sampler)
    loader = ResumableRunner.build_dataloader(settings | dict(pin_memory=pinned))
    assert loader.collate_fn.device == expected


class Frames(Dataset):
    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> dict:
        image = torch.full((3, 4, 4), index, dtype=torch.uint8)
        mask = PixelData(data=torch.full((1, 4, 4), index))
        return dict(inputs=image, data_samples=SegDataSample(gt_sem_seg=mask))


def batches(runner: type[Runner], workers: int) -> list[dict]:
    settings = dict(
        dataset=Frames(),
        batch_size=6,
        num_workers=workers,
        sampler=dict(type="DefaultSampler", shuffle=False),
    )
    return list(runner.build_dataloader(settings))


def test_a_batch_is_one_piece_and_otherwise_as_mmengine_sends_it():
    ours, stock = batches(ResumableRunner, 1), batches(Runner, 1)
    assert len(ours) == len(stock) == 2
    for found, expected in zip(ours, stock, strict=True):
        assert type(found) is type(expected) is dict
        assert all(map(torch.equal, found["inputs"], expected["inputs"]))
        masks, expected_masks = (
            [sample.gt_sem_seg.data for sample in batch["data_samples"]]
            for batch in (found, expected)
        )
        assert all(map(torch.equal, masks, expected_masks))
    # Neighbours in one piece of memory: the masks follow the images.
    starts = [tensor.data_ptr() for tensor in ours[0]["inputs"]]
    assert {after - before for before, after in itertools.pairwise(starts)} == {64}


def test_without_workers_nothing_is_packed():
    (batch, _) = batches(ResumableRunner, 0)
    expected = pseudo_collate([Frames()[index] for index in range(6)])
    assert all(map(torch.equal, batch["inputs"], expected["inputs"]))
