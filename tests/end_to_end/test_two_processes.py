"""Two processes train, distil, validate and end as one does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from lwam_mm.lab.kill_and_resume import differences

pytestmark = pytest.mark.end_to_end

SCRIPT = Path(__file__).parents[1] / "helpers" / "several_tools.py"
SECONDS = 300
"""After which two processes that wait for one another are taken to hang."""
KEPT = ("StrictCheckpointHook", "FiniteLossHook", "AverageOverProcessesHook", "PreemptionHook")


@pytest.fixture(scope="module")
def data(draw_blocks, tmp_path_factory) -> Path:
    """Seven images to learn from, three to judge by."""
    return draw_blocks(tmp_path_factory.mktemp("data"), train=7, val=3, test=3)


@pytest.fixture(scope="module")
def write_config(repository, data, tmp_path_factory):
    """Function that writes a real config made tiny, for six iterations.

    It has the released augmentation: what a rotation leaves empty is ignored, so that the
    processes have unequally many labelled pixels.
    """
    folder, base = tmp_path_factory.mktemp("configs"), repository / "configs" / "_base_"

    def write(name: str, model: str = "lwrnet", hooks: Iterable[str] = (), **options) -> str:
        parts = (f"models/{model}", "datasets/powder_bed", "schedules/schedule_400i")
        path = folder / f"{name}.py"
        bases = [str(base / f"{part}.py") for part in (*parts, "default_runtime")]
        path.write_text(f"_base_ = {bases}\n")
        config = Config.fromfile(path)
        for side in ("train", "val", "test"):
            loader = config[f"{side}_dataloader"]
            loader.update(num_workers=0, persistent_workers=False)
            loader.dataset.data_root = str(data)
            for transform in loader.dataset.pipeline:
                if transform.type == "Resize":
                    transform.scale = (32, 32)
        config.train_dataloader.batch_size = 2
        config.train_dataloader.sampler.infinite = True
        student = config.model.get("architecture", config.model)
        for net, width in ((student, 4), (config.model.get("teacher"), 2)):
            if net is not None:
                net.backbone.base_channels = net.decode_head.base_channels = width
        config.train_cfg.update(max_iters=6, val_interval=3)
        config.default_hooks.checkpoint.interval = 3
        config.default_hooks.logger.interval = 1
        config.param_scheduler = None
        config.custom_hooks = [hook for hook in config.custom_hooks if hook.type in KEPT]
        config.custom_hooks += [dict(type=hook) for hook in hooks]
        config.merge_from_dict(options)
        config.dump(path)
        return str(path)

    return write


@pytest.fixture(scope="module")
def calls(repository, stock_tools, write_config, randomise_batch_norms, tmp_path_factory):
    """The runs, by name, each with the tool and its arguments."""
    tools = repository / "tools"
    init_default_scope("mmseg")
    teacher = tmp_path_factory.mktemp("teacher") / "teacher.pth"
    losses = [
        dict(type="JointCrossEntropyLoss", avg_non_ignore=True),
        dict(
            type="WeightedCrossEntropyLoss",
            class_weight=[0.1, 5.0, 1.0, 4.0, 0.7, 0.4],
            loss_name="loss_weighted",
        ),
        dict(type="BatchDiceLoss"),
        dict(type="PixelFocalLoss"),
    ]
    logits = {
        f"preds_{net}": dict(recorder="logits", from_student=net == "S") for net in ("S", "T")
    }
    more = {
        f"model.distiller.{settings}.{name}": value
        for name, loss in (("loss_kl", "PixelKLLoss"), ("loss_cwd", "ChannelWiseLoss"))
        for settings, value in (
            ("distill_losses", dict(type=loss, tau=2.0)),
            ("loss_forward_mappings", logits),
        )
    }
    student = write_config(
        "student", hooks=["FreezeNormsHook"], **{"model.decode_head.loss_decode": losses}
    )
    distilled = write_config(
        "distilled",
        "kd_unetpp_lwrnet",
        ["FreezeNormsHook"],
        **{
            "model.teacher_ckpt": str(teacher),
        },
        **more,
    )
    plain = write_config("plain", hooks=["LeaveModelHook"])
    judged = write_config(
        "judged",
        **{f"model.{part}.base_channels": 16 for part in ("backbone", "decode_head")},
        test_evaluator=[dict(type="SegmentationMetric"), dict(type="RegionMetric")],
    )

    # To learn from, and to judge by: what they say differs from pixel to pixel.
    torch.manual_seed(0)
    random = teacher.with_name("random.pth")
    for path, settings in (
        (teacher, Config.fromfile(distilled).model.teacher),
        (random, Config.fromfile(judged).model),
    ):
        model = randomise_batch_norms(MODELS.build(settings))
        torch.nn.init.normal_(model.decode_head.conv_seg.weight)
        torch.save(dict(state_dict=model.state_dict()), path)

    train = [str(tools / "train.py"), "--launcher", "pytorch"]
    runs = {
        name: [*train, config, "--work-dir", name]
        for name, config in (("student", student), ("distilled", distilled))
    }
    runs["test"] = [
        str(tools / "test.py"),
        judged,
        str(random),
        "--fold",
        "--work-dir",
        "test",
        "--out",
        "test/metrics.json",
        "--launcher",
        "pytorch",
    ]
    two = {
        "stock": [str(stock_tools / "train.py"), *train[1:], student, "--work-dir", "stock"],
        "spoilt": [*train, write_config("spoilt", hooks=["SpoilHook"]), "--work-dir", "spoilt"],
        "undisturbed": [*train, plain, "--work-dir", "undisturbed"],
        "told": [*train, write_config("told", hooks=["TellHook"]), "--work-dir", "told"],
        "resumed": [*train, plain, "--work-dir", "told", "--resume"],
        "long": [
            *train,
            write_config("long", hooks=["SayHook"], **{"train_cfg.max_iters": 100000}),
            "--work-dir",
            "long",
        ],
    }
    return runs, runs | two


def start(calls: dict, folder: Path, *launcher: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    (folder / "calls.json").write_text(json.dumps(calls))
    environment = os.environ | dict(OMP_NUM_THREADS="1")
    with (folder / "output.txt").open("w") as output:
        return subprocess.Popen(
            [sys.executable, *launcher, str(SCRIPT), "calls.json", "ended"],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture(scope="module")
def one(calls, tmp_path_factory) -> Path:
    """What one process made, with batches as large as those of two together."""
    folder = tmp_path_factory.mktemp("one")
    runs = {
        name: [word for word in run if word not in ("--launcher", "pytorch")]
        for name, run in calls[0].items()
    }
    for name in ("student", "distilled"):
        runs[name] += ["--cfg-options", "train_dataloader.batch_size=4"]
    done = start(runs, folder)
    assert done.wait(SECONDS) == 0, (folder / "output.txt").read_text()[-6000:]
    return folder


@pytest.fixture(scope="module")
def two(calls, tmp_path_factory) -> Path:
    """What two processes made under torchrun, which is told to end in the last of its trainings."""
    folder = tmp_path_factory.mktemp("two")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    running = start(calls[1], folder, *torchrun)
    told, until = False, time.monotonic() + SECONDS
    while running.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
        if not told and all((folder / "long" / f"trains_{n}").exists() for n in (0, 1)):
            running.send_signal(signal.SIGTERM)
            told = True
    hangs = running.poll() is None
    if hangs:
        running.terminate()  # and its processes, which it kills if they do not listen
        running.wait()
    said = (folder / "output.txt").read_text()[-6000:]
    assert not hangs, said
    assert told, said
    return folder


def ended(folder: Path, name: str) -> list:
    return [json.loads((folder / "ended" / f"{name}_{rank}.json").read_text()) for rank in (0, 1)]


def curves(folder: Path) -> list[dict]:
    (path,) = folder.glob("*/vis_data/scalars.json")
    return [json.loads(line) for line in path.read_text().splitlines()]


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return torch.load(folder / name / "iter_6.pth", weights_only=True)["state_dict"]


@pytest.mark.parametrize("name", ["student", "distilled"])
def test_trains_as_one_process_with_the_joint_batch(one, two, name):
    assert ended(two, name) == [0, 0]
    rows = list(zip(curves(one / name), curves(two / name), strict=True))
    assert len(rows) == 6 + 2
    compared = set()
    for row, other in rows:
        # A mean of the processes' means is all that mmseg's accuracy in training can be.
        keys = {key for key in row if "time" not in key and not key.endswith("acc_seg")}
        assert keys == {key for key in other if "time" not in key and not key.endswith("acc_seg")}
        for key in keys:
            assert other[key] == pytest.approx(row[key], rel=0, abs=1e-4), key
        compared |= keys
    expected = dict(
        student={"loss_ce", "loss_weighted", "loss_dice", "loss_focal"},
        distilled={"loss_ce", "loss_feature", "loss_dist", "loss_kl", "loss_cwd"},
    )[name]
    assert {key.rpartition(".")[2] for key in compared if "loss_" in key} == expected
    assert {"loss", "mIoU"} <= compared

    joint = weights(one, name)
    for key, weight in weights(two, name).items():
        torch.testing.assert_close(weight, joint[key], rtol=0, atol=1e-4, msg=key)


def test_stock_tool_does_the_same_to_the_last_bit(two):
    assert ended(two, "stock") == [None, None]  # what MMSegmentation's main returns
    assert list(differences(two / "student", two / "stock")) == []


def test_says_what_was_chosen_and_only_once(two):
    said = (two / "output.txt").read_text()
    chosen = (
        "2 processes on cpu, over gloo; batch norms use only the images of their own process, "
        "since SyncBN needs GPUs."
    )
    assert chosen in said
    (path,) = (two / "student").glob("*/*.log")
    assert path.read_text().count(chosen) == 1


def test_judges_as_one_process(one, two):
    """Of three images; the second process sees the first once more."""
    found, expected = (
        json.loads((folder / "test" / "metrics.json").read_text())["metrics"]
        for folder in (one, two)
    )
    assert found == expected
    assert len({value for key, value in found.items() if key.startswith("IoU")}) > 2
    assert not (two / ".dist_test").exists()


def test_nan_in_one_process_ends_both(two):
    first, second = ended(two, "spoilt")
    assert first == second
    assert first.startswith("The loss is not finite in iteration 2: loss nan, decode.loss_ce nan")
    assert list((two / "spoilt").glob("*.pth")) == []


def test_sigterm_to_one_process_ends_both_and_both_go_on(two):
    assert ended(two, "told") == [75, 75]
    assert ended(two, "resumed") == ended(two, "undisturbed") == [0, 0]
    assert list(differences(two / "undisturbed", two / "told")) == []
    said = (two / "output.txt").read_text()
    assert "saved " in said
    assert f"Resumed from {two / 'told' / 'iter_2.pth'}." in said


def test_both_have_one_model(two):
    """A checkpoint has what the first knows; so both can go on from it, and judge alike."""
    first, second = (
        torch.load(two / "undisturbed" / f"model_{rank}.pth", weights_only=True) for rank in (0, 1)
    )
    assert any(key.endswith("running_var") for key in first)
    for key, weight in first.items():
        assert torch.equal(second[key], weight), key


def test_sigterm_to_torchrun_ends_both(two):
    assert ended(two, "long") == [75, 75]
    (saved,) = (two / "long").glob("iter_*.pth")
    assert (two / "long" / "last_checkpoint").read_text() == str(saved)


def test_first_process_alone_writes(two):
    left = {path.name for path in (two / "student").iterdir()}
    runs = {name for name in left if (two / "student" / name).is_dir()}
    assert len(runs) == 1
    best = {name for name in left if name.startswith("best_mIoU_iter_")}
    assert len(best) == 1
    assert left - runs - best == {"student.py", "last_checkpoint", "iter_3.pth", "iter_6.pth"}
    (run,) = runs
    files = sorted(path.name for path in (two / "student" / run).rglob("*") if path.is_file())
    assert files == sorted([f"{run}.log", f"{run}.json", "config.py", "scalars.json"])
