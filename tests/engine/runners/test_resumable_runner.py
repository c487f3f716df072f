from __future__ import annotations

import os
import pickle
import re
import signal
import time
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from lwam_mm.compat import UnsafeCheckpointError
from lwam_mm.engine.launch import train
from lwam_mm.engine.runners.resumable_runner import (
    NothingToResumeError,
    ResumableRunner,
    resumable_checkpoints,
)
from lwam_mm.models.checkpoint import CheckpointMismatchError

HOOK = dict(type="ResumableCheckpointsHook", interval=1)


@pytest.fixture
def resume(tiny_runner, caplog):
    """Function that has a run of two epochs go on, and gives the runner and what it said."""

    def go_on(**options) -> tuple[ResumableRunner, str]:
        runner = tiny_runner(
            kind=ResumableRunner,
            epochs=3,
            resume=True,
            checkpoint=HOOK,
            custom_hooks=[dict(type="StrictCheckpointHook")],
            log_level="INFO",
            **options,
        )
        runner.logger.addHandler(caplog.handler)
        runner.load_or_resume()
        return runner, caplog.text

    return go_on


@pytest.fixture
def trained(tiny_runner) -> Path:
    """The work dir of a run of two epochs."""
    runner = tiny_runner([1, 2], epochs=2, checkpoint=HOOK)
    runner.train()
    return Path(runner.work_dir)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    weight = content.index(torch.load(path)["state_dict"]["weight"].numpy().tobytes())
    content[weight + 3] ^= 1
    path.write_bytes(content)


DAMAGE = dict(
    cut_off=lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    empty=lambda path: path.write_bytes(b""),
    zeros=lambda path: path.write_bytes(bytes(path.stat().st_size)),
    garbage=lambda path: path.write_bytes(b"\x13garbage" * 100),
    one_bit=flip_a_bit,
    missing=lambda path: path.unlink(),
)


def test_newest_is_taken(resume, trained):
    runner, said = resume()
    assert (runner.epoch, runner.resumed_from) == (2, trained / "epoch_2.pth")
    assert f"Resumed from {trained / 'epoch_2.pth'}." in said


@pytest.mark.parametrize("damage", DAMAGE)
def test_broken_newest_falls_back_to_the_one_before(resume, trained, damage):
    DAMAGE[damage](trained / "epoch_2.pth")
    runner, said = resume()
    assert (runner.epoch, runner.iter) == (1, 2)
    warning = next(line for line in said.splitlines() if "WARNING" in line)
    assert re.search(r"epoch_2\.pth: .* Trying \S*epoch_1\.pth instead", warning)


def test_none_that_is_whole_is_an_error_and_no_new_start(resume, trained):
    (trained / "epoch_1.pth").write_bytes(b"")
    (trained / "epoch_2.pth").unlink()
    with pytest.raises(NothingToResumeError) as error:
        resume()
    assert re.search(r"epoch_2\.pth: there is no.*\n.*epoch_1\.pth: .*\nRemedy", str(error.value))


def test_nothing_there_is_a_start(resume, tmp_path):
    runner, said = resume()
    assert (runner.epoch, runner.resumed_from) == (0, None)
    assert "nothing to resume from: training starts at the beginning" in said
    assert "WARNING" not in said


def test_best_weights_alone_are_a_start_that_is_told(resume, tmp_path):
    (tmp_path / "work").mkdir()
    torch.save({}, tmp_path / "work" / "best_mIoU_epoch_7.pth")
    runner, said = resume()
    assert runner.resumed_from is None
    assert re.search("WARNING.*best_mIoU_epoch_7.pth holds weights alone", said)


def test_folder_may_be_moved(resume, trained, tmp_path):
    trained.rename(tmp_path / "moved")
    runner, _ = resume(work_dir=tmp_path / "moved")
    assert runner.resumed_from == tmp_path / "moved" / "epoch_2.pth"


def test_order(tmp_path):
    for age, name in enumerate(["iter_9.pth", "epoch_1.pth", "best_mIoU_iter_9.pth", "x.pth"]):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (age, age))
    assert [path.name for path in resumable_checkpoints(tmp_path)] == ["epoch_1.pth", "iter_9.pth"]
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_9.pth"))
    assert [path.name for path in resumable_checkpoints(tmp_path)] == ["iter_9.pth", "epoch_1.pth"]


def test_weights_alone_cannot_be_resumed(resume, trained):
    weights = torch.load(trained / "epoch_2.pth", weights_only=True)["state_dict"]
    torch.save(dict(state_dict=weights), trained / "epoch_2.pth")
    with pytest.raises(CheckpointMismatchError, match=r"epoch_2\.pth: holds weights alone"):
        resume()


class Payload:
    """Makes a folder when it is loaded by a pickle that may run code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_is_refused_and_not_passed_over(resume, trained, tmp_path):
    """Falling back to an older one would hide it."""
    torch.save(dict(meta=Payload(tmp_path / "ran")), trained / "epoch_2.pth")
    with pytest.raises(UnsafeCheckpointError, match=r"epoch_2\.pth: refused.*run code"):
        resume()
    (trained / "epoch_2.pth").write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    with pytest.raises(UnsafeCheckpointError, match=r"epoch_2\.pth: refused.*run code"):
        resume()
    with pytest.raises(UnsafeCheckpointError, match=r"epoch_2\.pth: refused.*run code"):
        resume(load_from=str(trained / "epoch_2.pth"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("key", ["load_from", "model.teacher_ckpt"])
def test_code_is_refused_in_the_other_checkpoints_of_a_training(small_config, tmp_path, key):
    path = tmp_path / "given.pth"
    torch.save(dict(state_dict=Payload(tmp_path / "ran")), path)
    teacher = key == "model.teacher_ckpt"
    options = dict(model="kd_unetpp_lwrnet") if teacher else {}
    config = small_config("iter", "work", **options, **{key: str(path)})
    with pytest.raises(UnsafeCheckpointError, match=r"given\.pth: refused.*run code"):
        train(config)
    assert not (tmp_path / "ran").exists()


class Pids(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        return os.getpid()


def test_data_workers_outlive_what_tells_the_job_to_end():
    loader = ResumableRunner.build_dataloader(
        dict(
            dataset=Pids(),
            sampler=dict(type="DefaultSampler"),
            batch_size=1,
            num_workers=1,
            collate_fn=dict(type="default_collate"),
            persistent_workers=True,
        )
    )
    batches = iter(loader)
    worker = int(next(batches))
    # From somebody else, as Slurm would: a process in between sends it.
    assert os.system(f"kill -TERM {worker}") == 0
    time.sleep(0.2)
    assert [int(pid) for pid in batches] == [worker] * 3
    os.kill(worker, signal.SIGTERM)  # from its parent: Python's own way to end it
    loader._iterator._workers[0].join(5)
    assert loader._iterator._workers[0].exitcode == 0
