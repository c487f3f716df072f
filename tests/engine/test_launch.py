from __future__ import annotations

import argparse
import copy
import errno
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from lwam_mm.compat import UnreadableCheckpointError, UnsafeCheckpointError
from lwam_mm.datasets.problem import DatasetError
from lwam_mm.engine import launch
from lwam_mm.engine.launch import (
    add_common_arguments,
    enable_amp,
    enable_tensorboard,
    evaluate,
    load_config,
    run_tool,
    show_predictions,
    train,
    write_metrics,
)
from lwam_mm.models.checkpoint import CheckpointMismatchError
from lwam_mm.utils.errors import ConfigError
from lwam_mm.version import __version__

SIZE = 32
SIDES = ("train", "val", "test")


@pytest.fixture(scope="module")
def config_file(repository, tmp_path_factory) -> Path:
    """The student, 4 channels wide, for one epoch on small images."""
    base = repository / "configs" / "_base_"
    parts = ("models/lwrnet", "datasets/powder_bed", "default_runtime")
    path = tmp_path_factory.mktemp("configs") / "student.py"
    lines = [
        f"_base_ = {[str(base / f'{part}.py') for part in parts]}",
        "model = dict(backbone=dict(base_channels=4), decode_head=dict(base_channels=4))",
        "optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))",
        "train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)",
        "val_cfg, test_cfg = dict(), dict()",
        "checkpoint = dict(type='BestCheckpointsHook', interval=1, save_best='mIoU')",
        "visualization = dict(type='SegVisualizationHook')",
        "default_hooks = dict(checkpoint=checkpoint, visualization=visualization)",
        "log_level = 'ERROR'",
        f"_base_.train_dataloader.dataset.pipeline[4].scale = ({SIZE}, {SIZE})",
        f"_base_.test_pipeline[1].scale = ({SIZE}, {SIZE})",
        *(f"{side}_dataloader = dict(batch_size=2, num_workers=0)" for side in SIDES),
        *(f"_base_.{s}_dataloader.dataset.pipeline[1].scale = (32, 32)" for s in ("val", "test")),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    """Two images of each side, the brightness of a pixel telling its class."""
    root, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for side in SIDES:
        for number in range(2):
            labels = np.kron(random.integers(0, 6, (4, 4), np.uint8), np.ones((8, 8), np.uint8))
            for kind, pixels in (("images", labels * 40), ("masks", labels)):
                path = root / kind / side / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return root


@pytest.fixture
def config(config_file, data_root, tmp_path) -> Config:
    return load_config(config_file, work_dir=tmp_path / "work", data_root=data_root)


@pytest.fixture(scope="module")
def trained(config_file, data_root, tmp_path_factory) -> Path:
    """The checkpoint that training that student for an epoch gives."""
    work_dir = tmp_path_factory.mktemp("trained")
    return train(load_config(config_file, work_dir=work_dir, data_root=data_root))


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_common_arguments(parser)
    return parser.parse_args(arguments)


# Arguments and config


def test_arguments_as_openmmlab_users_know_them():
    given = parse("--work-dir", "w", "--cfg-options", "a.b=2", "c=(1,2)", "--launcher", "pytorch")
    assert (given.work_dir, given.launcher, given.data_root) == ("w", "pytorch", None)
    assert given.cfg_options == {"a.b": 2, "c": (1, 2)}
    assert parse("--local_rank", "3").local_rank == parse("--local-rank=3").local_rank == 3
    assert parse().launcher == "none"
    with pytest.raises(SystemExit):
        parse("--launcher", "rsh")


def test_missing_config_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.py: there is no such config file"):
        load_config(tmp_path / "absent.py")


def test_config_as_it_is(config_file):
    config = load_config(str(config_file))
    assert config.work_dir == str(Path("work_dirs") / "student")
    assert config.launcher == "none"
    assert config.test_dataloader.dataset.data_root == "data/powder_bed"


def test_own_work_dir_of_a_config_is_kept(config_file, tmp_path):
    path = tmp_path / "student.py"
    path.write_text(config_file.read_text() + "work_dir = 'mine'\n")
    assert load_config(path).work_dir == "mine"
    assert load_config(path, work_dir=tmp_path).work_dir == str(tmp_path)


def test_data_root_goes_to_every_side(config_file, tmp_path):
    config = load_config(config_file, data_root=tmp_path)
    roots = [config[f"{side}_dataloader"].dataset.data_root for side in SIDES]
    assert roots == [str(tmp_path)] * 3


def test_data_root_goes_into_wrappers(config_file, tmp_path):
    wrapped = config_file.with_name("wrapped.py")
    wrapped.write_text(
        config_file.read_text()
        + "train_dataloader['dataset'] = dict(_delete_=True, type='SeededDataset', dataset=dict("
        "type='RepeatDataset', times=2, dataset=dict(type='PowderBedDataset')))\n"
        "val_dataloader = None\n"
    )
    config = load_config(wrapped, data_root=tmp_path)
    outer = config.train_dataloader.dataset
    assert outer.dataset.dataset.data_root == str(tmp_path)
    assert "data_root" not in outer
    assert "data_root" not in outer.dataset
    assert config.test_dataloader.dataset.data_root == str(tmp_path)


def test_one_data_root_is_not_given_to_several_data_sets(config_file, tmp_path):
    joined = config_file.with_name("joined.py")
    joined.write_text(
        config_file.read_text() + "train_dataloader['dataset'] = dict(_delete_=True, "
        "type='ConcatDataset', "
        "datasets=[dict(type='PowderBedDataset', data_root=root) for root in 'ab'])\n"
    )
    with pytest.raises(ConfigError, match="train_dataloader joins 2 data sets"):
        load_config(joined, data_root=tmp_path)
    roots = [dataset.data_root for dataset in load_config(joined).train_dataloader.dataset.datasets]
    assert roots == ["a", "b"]


def test_options_come_last(config_file, tmp_path):
    options = {"test_dataloader.dataset.data_root": "other", "model.backbone.base_channels": 6}
    config = load_config(config_file, data_root=tmp_path, options=options, launcher="slurm")
    assert config.test_dataloader.dataset.data_root == "other"
    assert config.val_dataloader.dataset.data_root == str(tmp_path)
    assert config.model.backbone.base_channels == 6
    assert config.launcher == "slurm"


def test_amp_without_a_gpu(config_file, monkeypatch):
    monkeypatch.setattr("lwam_mm.engine.launch.is_cuda_available", lambda: False)
    config = load_config(config_file)
    learning_rate = config.optim_wrapper.optimizer.lr
    for _ in range(2):
        enable_amp(config)
        assert config.optim_wrapper.type == "Bfloat16OptimWrapper"
        assert "loss_scale" not in config.optim_wrapper
    assert config.optim_wrapper.optimizer.lr == learning_rate


def test_amp(config_file, monkeypatch):
    monkeypatch.setattr("lwam_mm.engine.launch.is_cuda_available", lambda: True)
    config = load_config(config_file)
    learning_rate = config.optim_wrapper.optimizer.lr
    enable_amp(config)
    assert config.optim_wrapper.type == "AmpOptimWrapper"
    assert config.optim_wrapper.loss_scale == "dynamic"
    assert config.optim_wrapper.optimizer.lr == learning_rate
    config.optim_wrapper.loss_scale = 512.0
    enable_amp(config)
    assert config.optim_wrapper.loss_scale == 512.0
    untyped = Config(dict(optim_wrapper=dict(optimizer=dict(type="SGD", lr=1))))
    enable_amp(untyped)
    assert untyped.optim_wrapper.type == "AmpOptimWrapper"


def test_amp_with_another_wrapper_is_refused(config_file):
    config = load_config(config_file, options={"optim_wrapper.type": "ApexOptimWrapper"})
    with pytest.raises(ValueError, match=r"--amp.*'ApexOptimWrapper'; use OptimWrapper"):
        enable_amp(config)


def test_tensorboard_is_added_once(config_file):
    config = load_config(config_file)
    for _ in range(2):
        enable_tensorboard(config)
        backends = [backend["type"] for backend in config.visualizer.vis_backends]
        assert backends == ["LocalVisBackend", "TensorboardVisBackend"]


def test_pictures_are_asked_for(config_file, tmp_path):
    config = load_config(config_file)
    show_predictions(config, tmp_path / "shown")
    assert config.default_hooks.visualization.draw is True
    assert config.visualizer.save_dir == str(tmp_path / "shown")


# Training and testing


def test_best_checkpoint_of_a_training_is_evaluated(config, trained):
    assert trained.name == "best_mIoU_epoch_1.pth"
    plain, folded = evaluate(config, trained), evaluate(config, trained, fold=True)
    assert 0 <= plain["mIoU"] <= 100
    assert plain.keys() == folded.keys()
    for name, value in plain.items():
        assert folded[name] == pytest.approx(value, abs=0.2, nan_ok=True), name


def test_fold_is_of_the_loaded_weights(config, trained, monkeypatch):
    models = []
    monkeypatch.setattr(launch.ConciseRunner, "test", lambda runner: models.append(runner.model))
    evaluate(config, trained, fold=True)
    (model,) = models
    weights = torch.load(trained, weights_only=True)["state_dict"]
    names = model.state_dict().keys()
    assert "backbone.stage0.0.folded.weight" in names
    assert not [name for name in names if "norm" in name]
    assert torch.equal(model.decode_head.conv_seg.bias, weights["decode_head.conv_seg.bias"])


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (dict(best_ckpt="w/best.pth", last_ckpt="w/epoch_9.pth"), Path("w/best.pth")),
        (dict(best_ckpt=None, last_ckpt="w/epoch_9.pth"), Path("w/epoch_9.pth")),
        (dict(last_ckpt="w/epoch_9.pth"), Path("w/epoch_9.pth")),
        (dict(), None),
    ],
)
def test_best_checkpoint_else_the_last(config, monkeypatch, kept, expected):
    runs = []
    runner = SimpleNamespace(
        train=lambda: runs.append(1), message_hub=SimpleNamespace(runtime_info=kept)
    )
    monkeypatch.setattr(launch.ConciseRunner, "from_cfg", lambda config: runner)
    assert train(config) == expected
    assert runs == [1]


@pytest.mark.parametrize(
    ("load_from", "begun", "expected"),
    [
        ("weights.pth", False, ("weights.pth", False)),
        ("weights.pth", True, (None, True)),
        ("lwam_mm::powder-bed-drawn", False, ("lwam_mm::powder-bed-drawn", False)),
        ("lwam_mm::powder-bed-drawn", True, (None, True)),
        ("full.pth", False, ("full.pth", True)),
        ("full.pth", True, (None, True)),
        ("work/epoch_1.pth", True, ("work/epoch_1.pth", True)),
        (None, True, (None, True)),
        (None, False, (None, True)),
    ],
)
def test_a_begun_training_goes_on_from_its_work_dir_and_a_new_one_from_load_from(
    config, tmp_path, monkeypatch, load_from, begun, expected
):
    monkeypatch.chdir(tmp_path)
    Path("work").mkdir()
    torch.save(dict(state_dict={}), "weights.pth")
    torch.save(dict(state_dict={}, meta={}, message_hub={}, optimizer={}), "full.pth")
    for number in (1, 2) if begun else ():
        Path(f"work/epoch_{number}.pth").touch()
    config.update(work_dir="work", load_from=load_from, resume=True)
    seen = []

    def stop(config):
        seen.append((config.load_from, config.resume))
        raise KeyboardInterrupt

    monkeypatch.setattr(launch.ResumableRunner, "from_cfg", stop)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    assert seen == [expected]


def test_resumed_training_with_weights_to_begin_with_goes_on(config, trained, tmp_path):
    weights = tmp_path / "weights.pth"
    torch.save(dict(state_dict=torch.load(trained)["state_dict"]), weights)
    config.update(load_from=str(weights), resume=True)
    config.default_hooks.checkpoint.type = "ResumableCheckpointsHook"
    again = copy.deepcopy(config)
    train(config)
    again.train_cfg.max_epochs = 2
    train(again)
    epochs = [torch.load(path)["meta"]["epoch"] for path in sorted(tmp_path.glob("work/epoch_*"))]
    assert epochs == [1, 2]


def test_checkpoint_that_does_not_fit_is_not_evaluated(config, tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.ones(1))), tmp_path / "other.pth")
    with pytest.raises(CheckpointMismatchError, match=r"other\.pth does not fit the model"):
        evaluate(config, tmp_path / "other.pth")


# Metrics


def test_metrics_are_written(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    given = dict(config="a.py", checkpoint="a.pth", folded=True)
    write_metrics(path, {"mIoU": np.float32(81.5)}, **given)
    assert json.loads(path.read_text()) == given | {
        "lwam_mm": __version__,
        "metrics": {"mIoU": 81.5},
    }
    assert [p.name for p in path.parent.iterdir()] == ["metrics.json"]


def test_metrics_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    path.write_text("{}")
    write = Path.write_bytes

    def fail(self, data):
        write(self, data[:5])
        raise OSError("disk is full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_metrics(path, dict(mIoU=1.0), config="a.py", checkpoint="a.pth", folded=False)
    assert path.read_text() == "{}"
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_only_the_main_process_writes_metrics(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "is_main_process", lambda: False)
    write_metrics(tmp_path / "a.json", {}, config="a.py", checkpoint="a.pth", folded=False)
    assert not (tmp_path / "a.json").exists()


# Exit status


@pytest.mark.parametrize("status", [0, 3])
def test_status_of_the_tool_is_handed_on(status):
    with pytest.raises(SystemExit) as ended:
        run_tool(lambda arguments: status)
    assert ended.value.code == status


def test_a_tool_leaves_its_process_group(tmp_path):
    rendezvous = f"file://{tmp_path / 'store'}"

    def tool(arguments):
        torch.distributed.init_process_group("gloo", rendezvous, rank=0, world_size=1)
        return 0

    with pytest.raises(SystemExit):
        run_tool(tool)
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    "error",
    [
        CheckpointMismatchError,
        DatasetError,
        FileExistsError,
        FileNotFoundError,
        UnreadableCheckpointError,
        UnsafeCheckpointError,
    ],
)
def test_expected_error_is_one_message(error, capsys):
    def tool(arguments):
        raise error("a.pth: cannot be used; use another")

    with pytest.raises(SystemExit) as ended:
        run_tool(tool)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: a.pth: cannot be used; use another\n"


@pytest.mark.parametrize("error", [ValueError, RuntimeError, KeyError, ZeroDivisionError])
def test_unexpected_error_keeps_its_traceback(error):
    def tool(arguments):
        raise error("a bug")

    with pytest.raises(error, match="a bug"):
        run_tool(tool)


@pytest.mark.parametrize("tool", ["train.py", "test.py"])
def test_tools_run_so(repository, tmp_path, monkeypatch, capsys, tool):
    monkeypatch.chdir(tmp_path)
    arguments = ["absent.py"] if tool == "train.py" else ["absent.py", "a.pth"]
    monkeypatch.setattr(sys, "argv", [tool, *arguments])
    monkeypatch.setenv("LOCAL_RANK", "0")  # the tools set it where it is not set
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(repository / "tools" / tool), run_name="__main__")
    assert ended.value.code == 1
    message = "error: absent.py: there is no such config file; see the folder configs/\n"
    assert capsys.readouterr().err == message


def test_full_disk_is_told_whatever_was_being_written(capsys):
    def tool(arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "work/scalars.json")

    with pytest.raises(SystemExit) as ended:
        run_tool(tool)
    assert ended.value.code == 1
    message = (
        "error: work/scalars.json could not be written (No space left on device). Remedy: free"
    )
    assert capsys.readouterr().err.startswith(message)


def test_other_errors_of_the_system_keep_their_traceback():
    def tool(arguments):
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        run_tool(tool)
