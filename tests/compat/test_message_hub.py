"""What mmengine writes into a checkpoint."""

from __future__ import annotations

import enum
from pathlib import Path

import numpy as np
import pytest
import torch


class Phase(enum.IntEnum):
    LATE = 2


class Part(str, enum.Enum):
    STUDENT = "student"


def make_runner(work_dir: Path, epochs: int, **options):
    from mmengine.model import BaseModel
    from mmengine.runner import Runner

    class Line(BaseModel):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, inputs, data_samples=None, mode="tensor"):
            return {"loss": (self.weight * torch.stack(list(inputs))).mean()}

    return Runner(
        model=Line(),
        work_dir=str(work_dir),
        train_dataloader=torch.utils.data.DataLoader(
            torch.rand(4), batch_size=2, collate_fn=lambda batch: dict(inputs=batch)
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.01)),
        param_scheduler=dict(type="CosineAnnealingLR", T_max=3),
        default_scope="mmseg",
        experiment_name=f"compat_{work_dir.name}_{epochs}",
        log_level="ERROR",
        **options,
    )


def test_checkpoint_of_a_run_is_safe_and_resumes(tmp_path):
    first = make_runner(tmp_path, epochs=2)
    given = dict(
        score=np.float64(0.5),
        count=np.int64(3),
        found=np.bool_(True),
        phase=Phase.LATE,
        part=Part.STUDENT,
        kept=[Path("a").name, ("b", None)],
        matrix=np.arange(6, dtype=np.uint8).reshape(2, 3)[:, ::-1],
        names=np.array(["x", "y"]),
        nested={"by class": {np.int64(1): np.float32(0.25)}},
    )
    first.message_hub.update_info_dict(given)
    first.message_hub.update_info("open_file", object(), resumed=False)
    first.train()

    saved = torch.load(tmp_path / "epoch_2.pth", weights_only=True)
    assert "open_file" not in saved["message_hub"]["runtime_info"]

    second = make_runner(tmp_path, epochs=3, resume=True)
    second.load_or_resume()
    before, after = first.message_hub, second.message_hub
    assert after.get_info("score") == 0.5
    assert (after.get_info("count"), after.get_info("phase")) == (3, 2)
    assert after.get_info("part") == "student"
    assert after.get_info("found") is True
    assert after.get_info("kept") == ["a", ("b", None)]
    assert after.get_info("names") == ["x", "y"]
    assert after.get_info("nested") == {"by class": {1: 0.25}}
    np.testing.assert_array_equal(after.get_info("matrix"), given["matrix"])
    assert {"train/loss", "train/lr"} <= after.log_scalars.keys()
    for name, buffer in before.log_scalars.items():
        for ours, theirs in zip(after.log_scalars[name].data, buffer.data, strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype
    losses = len(before.log_scalars["train/loss"].data[0])
    assert losses == 4

    second.train()
    assert second.epoch == 3
    history = after.log_scalars["train/loss"].data[0]
    assert len(history) == losses + 2
    assert list(history[:losses]) == list(before.log_scalars["train/loss"].data[0])
    torch.load(tmp_path / "epoch_3.pth", weights_only=True)


def test_without_the_repair_the_hub_is_refused(hub, tmp_path):
    """Once this fails, mmengine or torch does the work and the repair can go."""
    hub.update_scalar("loss", 1.0)
    torch.save(type(hub).state_dict.__wrapped__(hub), tmp_path / "stock.pth")
    with pytest.raises(Exception, match="HistoryBuffer"):
        torch.load(tmp_path / "stock.pth", weights_only=True)


def test_hub_keeps_the_length_of_its_history(hub, new_hub):
    from mmengine.logging import HistoryBuffer

    hub.log_scalars["loss"] = HistoryBuffer([1.0, 2.0], [1, 1], max_length=2)
    hub.update_scalar("loss", 3.0)
    other = new_hub()
    other.load_state_dict(hub.state_dict())
    assert other.get_scalar("loss").max_length == 2
    assert list(other.get_scalar("loss").data[0]) == [2.0, 3.0]


@pytest.mark.parametrize(
    "value",
    [object(), [1, {"a": object()}], np.array([object()]), {1, 2}],
    ids=["object", "list", "array", "set"],
)
def test_what_a_checkpoint_cannot_hold_is_named(hub, value):
    hub.update_info("camera", value)
    with pytest.raises(TypeError, match=r"'camera' holds a builtins\.\w+.*resumed=False"):
        hub.state_dict()


def test_hub_of_the_stock_form_still_loads(hub, new_hub):
    hub.update_scalar("loss", 1.5)
    hub.update_info("score", np.float64(2.5))
    other = new_hub()
    other.load_state_dict(type(hub).state_dict.__wrapped__(hub))
    assert other.get_scalar("loss").current() == 1.5
    assert other.get_info("score") == 2.5
    another = new_hub()
    another.load_state_dict(hub)  # mmengine takes a hub as well
    assert another.get_scalar("loss").current() == 1.5


class OnGpu:
    """A tensor that a resume has mapped to the GPU."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def cpu(self) -> torch.Tensor:
        return self.tensor

    def numpy(self) -> None:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


def test_history_comes_back_from_the_gpu(hub, new_hub):
    hub.update_scalar("loss", 1.5)
    state = hub.state_dict()
    for name in ("log_history", "count_history"):
        state["log_scalars"]["loss"][name] = OnGpu(state["log_scalars"]["loss"][name])
    other = new_hub()
    other.load_state_dict(state)
    assert other.get_scalar("loss").current() == 1.5
