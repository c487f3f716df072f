from __future__ import annotations

import pickle
from itertools import islice

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS, init_default_scope
from mmengine.runner import Runner

from lwam_mm.datasets.samplers import seeded_sampler
from lwam_mm.datasets.samplers.seeded_sampler import Draw, SeededSampler


def drawn(sampler: SeededSampler, count: int = 30) -> list[tuple[int, tuple]]:
    return [(int(draw), draw.key) for draw in islice(sampler, count)]


@pytest.mark.parametrize("infinite", [False, True])
def test_seed_and_pass_decide(infinite):
    def make(seed: int = 5, **options) -> list:
        return drawn(SeededSampler(range(10), seed=seed, infinite=infinite, **options))

    first = make()
    assert first == make()
    assert [index for index, _ in first[:10]] != [index for index, _ in make(6)[:10]]
    assert len({key for _, key in first}) == len(first)
    for start in range(0, len(first), 10):
        assert sorted(index for index, _ in first[start : start + 10]) == list(range(10))
    assert [index for index, _ in make(shuffle=False)[:10]] == list(range(10))


def test_each_pass_has_an_order_of_its_own():
    sampler = SeededSampler(range(10), seed=5)
    passes = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        passes += drawn(sampler)
    assert len({tuple(passes[start : start + 10]) for start in (0, 10, 20)}) == 3
    # By epochs or without an end: it is the same training.
    assert passes == drawn(SeededSampler(range(10), seed=5, infinite=True), 30)


@pytest.mark.parametrize("infinite", [False, True])
def test_begins_anywhere_once(infinite):
    whole = drawn(SeededSampler(range(10), seed=5, infinite=infinite))
    for draws in (1, 9, 10, 23):
        sampler = SeededSampler(range(10), seed=5, infinite=infinite)
        sampler.begin_at(draws)
        # (an infinite one goes on behind the draws that are compared)
        assert drawn(sampler, len(whole) - min(draws, len(whole))) == whole[draws:]
        assert drawn(sampler) == whole


@pytest.mark.parametrize("infinite", [False, True])
@pytest.mark.parametrize("size", [8, 9])
def test_processes_share_the_batches_of_one(monkeypatch, infinite, size):
    joint = drawn(SeededSampler(range(size), seed=5, infinite=infinite))
    shares = []
    for rank in range(2):
        monkeypatch.setattr(seeded_sampler, "get_dist_info", lambda rank=rank: (rank, 2))
        sampler = SeededSampler(range(size), seed=5, infinite=infinite)
        sampler.begin_at(4)
        shares.append(drawn(sampler, 8))
        assert len(sampler) == (size if infinite else (size + 1) // 2)
    count = min(map(len, shares))
    assert len(shares[0]) == len(shares[1])
    together = [draw for pair in zip(*shares, strict=True) for draw in pair]
    if infinite or size == 8:
        assert together == joint[4 : 4 + 2 * count]
    else:  # completed from the front
        assert together[:-1] == joint[4:]
        assert together[-1][0] == joint[0][0]
        assert together[-1][1] not in [key for _, key in joint]


def test_draw_reaches_a_worker_whole():
    draw = pickle.loads(pickle.dumps(Draw(3, (5, 1, 7), 4)))
    assert (draw, draw.key, draw.passes, type(draw)) == (3, (5, 1, 7), 4, Draw)


@pytest.mark.parametrize("infinite", [False, True])
def test_draw_knows_the_passes_before_it(infinite):
    sampler = SeededSampler(range(3), seed=5, infinite=infinite)
    if infinite:
        sampler.begin_at(2)
        assert [draw.passes for draw in islice(sampler, 6)] == [0, 1, 1, 1, 2, 2]
    else:
        sampler.set_epoch(4)
        assert [draw.passes for draw in sampler] == [4, 4, 4]


def test_seed_is_drawn_if_none_is_given():
    assert isinstance(DATA_SAMPLERS.build(dict(type="SeededSampler", dataset=range(3))).seed, int)


@pytest.fixture
def loader(repository, tiny_root):
    """Function that builds the training loader of drawn layers, batches of two."""
    init_default_scope("mmseg")  # as a runner does
    path = repository / "configs" / "_base_" / "datasets" / "powder_bed_synthetic.py"
    config = Config.fromfile(path).train_dataloader
    config.dataset.data_root = str(tiny_root)

    def make(workers: int):
        config.update(num_workers=workers, persistent_workers=False, batch_size=2)
        return Runner.build_dataloader(config, seed=3)

    return make


def test_augmentation_depends_on_the_draw_alone(loader):
    """Not on the number of workers, on what went before, or on the process's random numbers."""

    def images(workers: int, skipped: int = 0) -> list[np.ndarray]:
        np.random.seed(workers + skipped)  # noqa: NPY002
        made = loader(workers)
        made.sampler.begin_at(2 * skipped)
        return [np.stack(batch["inputs"]) for batch in islice(made, 6 - skipped)]

    expected = images(0)
    assert len({image.tobytes() for batch in expected for image in batch}) > 6  # of 3 images
    for found, wanted in ((images(2), expected), (images(1, 4), expected[4:])):
        for left, right in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(left, right)


def test_loading_here_leaves_this_processs_random_numbers_alone(loader):
    batches = iter(loader(0))
    next(batches)
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    next(batches)
    assert np.random.random() == expected  # noqa: NPY002
