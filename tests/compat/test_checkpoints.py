"""What is loaded, what is refused, and what is left when a checkpoint cannot be written."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from lwam_mm import compat
from lwam_mm.utils.errors import UserError

SWITCH = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


class Payload:
    """What an attacker would pickle: loading it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def load():
    from mmengine.runner.checkpoint import CheckpointLoader

    return lambda path: CheckpointLoader.load_checkpoint(str(path), map_location="cpu")


@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE")
@pytest.mark.parametrize("new_format", [True, False])
def test_checkpoint_that_runs_code_is_refused(load, tmp_path, monkeypatch, new_format):
    monkeypatch.delenv(SWITCH, raising=False)
    path, mark = tmp_path / "model.pth", tmp_path / "ran"
    torch.save(dict(state_dict=Payload(mark)), path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(compat.UnsafeCheckpointError) as error:
        load(path)
    assert not mark.exists()
    message = str(error.value)
    assert message.startswith(f"{path}: refused")
    assert "mkdir" in message
    assert f"{SWITCH}=1" in message
    assert "weights_only" not in message  # torch's advice is not passed on
    assert error.value.__suppress_context__

    monkeypatch.setenv(SWITCH, "1")
    load(path)
    assert mark.exists()


@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE")
def test_stock_checkpoint_with_objects_is_refused_by_name_and_can_be_trusted(
    load, hub, tmp_path, monkeypatch
):
    hub.update_scalar("loss", 1.0)
    path = tmp_path / "stock.pth"
    torch.save(dict(message_hub=type(hub).state_dict.__wrapped__(hub)), path)
    monkeypatch.delenv(SWITCH, raising=False)
    with pytest.raises(compat.UnsafeCheckpointError, match=r"GLOBAL mmengine.*HistoryBuffer"):
        load(path)
    monkeypatch.setenv(SWITCH, "1")
    assert load(path)["message_hub"]["log_scalars"]["loss"].current() == 1.0


@pytest.mark.parametrize("keep", [0, 1, 18, 0.5, -1])
@pytest.mark.parametrize("new_format", [True, False])
def test_checkpoint_that_is_cut_off_is_named(load, tmp_path, keep, new_format):
    path = tmp_path / "model.pth"
    weights = dict(weight=torch.ones(10_000))
    torch.save(weights, path, _use_new_zipfile_serialization=new_format)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(compat.UnreadableCheckpointError, match=r"model\.pth: .*earlier checkpoint"):
        load(path)


def test_whatever_bytes_it_holds_the_file_is_named(load, tmp_path):
    path = tmp_path / "model.pth"
    random = np.random.default_rng(0)
    junk = [b"junk\n", *(bytes([first]) + random.bytes(20) for first in range(256))]
    for content in junk:
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"model\.pth: "):
            load(path)


@pytest.mark.parametrize("content", [b"<html>404</html>", b"version https://git-lfs", b"\x89PNG"])
def test_file_of_another_format_is_not_called_dangerous(load, tmp_path, content):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(compat.UnreadableCheckpointError, match=r"model\.pth: not a") as error:
        load(path)
    assert SWITCH not in str(error.value)


def test_missing_checkpoint_is_named(load, tmp_path):
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"{path}: there is no such checkpoint"):
            load(path)


def test_safe_checkpoint_loads_from_the_home_folder(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(dict(weight=torch.ones(2)), tmp_path / "model.pth")
    assert torch.equal(load("~/model.pth")["weight"], torch.ones(2))


def test_checkpoint_takes_its_place_once_it_is_whole(tmp_path, monkeypatch):
    import mmengine.runner
    from mmengine.runner import checkpoint as module

    path, there = tmp_path / "model.pth", []
    path.write_bytes(b"old")
    save = torch.save
    monkeypatch.setattr(
        torch, "save", lambda value, file: (save(value, file), there.append(path.read_bytes()))
    )
    for function in (module.save_checkpoint, mmengine.runner.save_checkpoint):
        function(dict(weight=torch.ones(3)), str(path))
    assert there[0] == b"old"
    assert torch.equal(torch.load(path)["weight"], torch.ones(3))
    assert [found.name for found in tmp_path.iterdir()] == ["model.pth"]


def test_checkpoint_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    """Else a power cut could leave the new name with half of its content."""
    from mmengine.runner.checkpoint import save_checkpoint

    synced, fsync = [], os.fsync

    def spy(descriptor: int) -> None:
        file = Path(f"/proc/self/fd/{descriptor}").readlink()
        size = file.stat().st_size if file.is_file() else None
        synced.append((file.name, size, (tmp_path / "model.pth").exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    save_checkpoint(dict(weight=torch.ones(300)), str(tmp_path / "model.pth"))
    (content, size, there), folder = synced
    assert content.startswith(".model.pth.")
    assert size == (tmp_path / "model.pth").stat().st_size
    assert not there
    assert folder == (tmp_path.name, None, True)


@pytest.mark.parametrize(("error", "told"), [(28, "No space left on device"), (122, "quota")])
def test_checkpoint_that_cannot_be_written_is_named(tmp_path, monkeypatch, error, told):
    from mmengine.runner.checkpoint import save_checkpoint

    path = tmp_path / "model.pth"
    path.write_bytes(b"old")

    def fail(value, file):
        file.write(b"half")
        try:
            raise OSError(error, os.strerror(error))
        finally:
            raise RuntimeError("unexpected pos 704 vs 598")  # as torch does

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(compat.CheckpointNotWrittenError) as raised:
        save_checkpoint({}, str(path))
    message = str(raised.value)
    assert message.startswith(f"{path}: this checkpoint could not be written (")
    assert told in message
    assert "Remedy: free space" in message
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["model.pth"]


def test_what_cannot_be_pickled_is_not_called_a_full_disk(tmp_path):
    from mmengine.runner.checkpoint import save_checkpoint

    with pytest.raises(Exception, match="local object") as raised:
        save_checkpoint(dict(function=lambda: None), str(tmp_path / "model.pth"))
    assert not isinstance(raised.value, compat.CheckpointNotWrittenError)
    assert list(tmp_path.iterdir()) == []


def test_other_storage_is_upstreams(tmp_path):
    from mmengine.fileio import BaseStorageBackend, FileClient, register_backend
    from mmengine.runner.checkpoint import save_checkpoint

    class Memory(BaseStorageBackend):
        kept: ClassVar[dict] = {}

        def put(self, content, filepath):
            self.kept[filepath] = content

        def get(self, filepath):
            return self.kept[filepath]

        get_text = get

    for register in (register_backend, FileClient.register_backend):
        register("memory", Memory, prefixes="memory", force=True)
    save_checkpoint(dict(weight=torch.ones(1)), "memory://a.pth")
    assert torch.load(io.BytesIO(Memory.kept["memory://a.pth"]))["weight"] == 1
