"""Two processes with half of a batch each have the loss and the gradient of one with all of it."""

from __future__ import annotations

import multiprocessing

import pytest
import torch
from mmseg.models.losses import CrossEntropyLoss

from lwam_mm.models.losses.batch_dice_loss import BatchDiceLoss
from lwam_mm.models.losses.global_batch import global_centred, global_norm
from lwam_mm.models.losses.global_cross_entropy_loss import GlobalCrossEntropyLoss
from lwam_mm.models.losses.logit_divergences import ChannelWiseLoss, PixelKLLoss
from lwam_mm.models.losses.pixel_dist_loss import PixelDISTLoss
from lwam_mm.models.losses.pixel_focal_loss import PixelFocalLoss
from lwam_mm.models.losses.weighted_cross_entropy_loss import WeightedCrossEntropyLoss

LABELLED = {
    "ce": GlobalCrossEntropyLoss(avg_non_ignore=True),
    "weighted": WeightedCrossEntropyLoss([0.1, 5.0, 1.0, 4.0]),
    "dice": BatchDiceLoss(),
    "focal": PixelFocalLoss(),
}
DISTILLED = {"dist": PixelDISTLoss(), "kl": PixelKLLoss(), "cwd": ChannelWiseLoss()}
STOCK = {"stock": CrossEntropyLoss(avg_non_ignore=True)}


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, a teacher's logits, and labels, ignored here and there, and all of one image."""
    generator = torch.Generator().manual_seed(0)
    logits, teacher = 3 * torch.randn(2, 4, 4, 8, 8, generator=generator)
    labels = torch.randint(0, 4, (4, 8, 8), generator=generator)
    labels[0] = 255
    labels[2, :3] = 255
    return logits, teacher, labels


def judge(name: str, images: slice) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of some images, and its gradient in their logits."""
    logits, teacher, labels = (part[images] for part in batch())
    logits.requires_grad_()
    loss = {**LABELLED, **DISTILLED, **STOCK}[name]
    distilled = name in DISTILLED
    value = loss(logits, teacher) if distilled else loss(logits, labels, ignore_index=255)
    value.backward()
    return value.detach(), logits.grad


def almost_constant() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.7 + 1e-6 * torch.randn(4, 2, 16, 16, generator=generator)


def take_part(rank: int, address: str, folder) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    images = slice(2 * rank, 2 * rank + 2)
    found = {name: judge(name, images) for name in (*LABELLED, *DISTILLED, *STOCK)}
    found["centred"] = global_centred(almost_constant()[images], (0, 2, 3))
    torch.save(found, folder / f"{rank}.pth")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[dict]:
    """What each of two processes has."""
    folder = tmp_path_factory.mktemp("processes")
    # Forked: that spares the imports.
    processes = [
        multiprocessing.get_context("fork").Process(
            target=take_part, args=(rank, f"file://{folder / 'meeting'}", folder)
        )
        for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    return [torch.load(folder / f"{rank}.pth", weights_only=True) for rank in (0, 1)]


def joined(found: list[dict], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of the losses, and the gradients as a training averages them."""
    (one, first), (other, second) = (part[name] for part in found)
    return (one + other) / 2, torch.cat([first, second]) / 2


@pytest.mark.parametrize("name", [*LABELLED, *DISTILLED])
def test_loss_and_gradient_are_those_of_the_global_batch(found, name):
    value, gradient = judge(name, slice(None))
    global_value, global_gradient = joined(found, name)
    torch.testing.assert_close(global_value, value)
    torch.testing.assert_close(global_gradient, gradient, rtol=1e-4, atol=1e-8)


def test_stock_cross_entropy_is_not(found):
    """The batch would prove nothing if it were."""
    value, _ = judge("stock", slice(None))
    assert abs(joined(found, "stock")[0] - value) > 0.01


def test_what_is_almost_constant_is_centred_all_the_same(found):
    centred = torch.cat([part["centred"] for part in found]).double()
    assert centred.std() > 5e-7
    assert centred.mean((0, 2, 3)).abs().max() < 1e-12


def test_one_process_has_the_stock_cross_entropy_to_the_last_bit():
    for ours, stock in zip(judge("ce", slice(None)), judge("stock", slice(None)), strict=True):
        assert torch.equal(ours, stock)


@pytest.mark.parametrize("labelled", [0, 1, 2])
def test_few_labelled_pixels(labelled):
    logits, _, labels = batch()
    labels.view(-1)[labelled:] = 255
    labels.view(-1)[:labelled] = 1
    found, expected = (
        loss(logits, labels, ignore_index=255) for loss in (LABELLED["ce"], STOCK["stock"])
    )
    assert torch.equal(found, expected)
    assert (found > 0) == (labelled > 0)


def test_class_weights_are_refused():
    with pytest.raises(ValueError, match="use WeightedCrossEntropyLoss"):
        GlobalCrossEntropyLoss(class_weight=[1.0, 2.0])


@pytest.mark.parametrize("dims", [(1,), (0, 2, 3)])
def test_norm_is_torchs_also_of_nothing(dims):
    def both(x: torch.Tensor, norm) -> tuple[torch.Tensor, torch.Tensor]:
        x = x.clone().requires_grad_()
        value = norm(x)
        value.sum().backward()
        return value.detach(), x.grad

    x = torch.randn(2, 4, 3, 5)
    x[:, 1] = 0
    x[0, :, 0, 0] = 0
    ours = both(x, lambda x: global_norm(x, dims))
    theirs = both(x, lambda x: torch.linalg.vector_norm(x, dim=dims))
    torch.testing.assert_close(ours, theirs)
