"""Each repair of upstream: what happens without it, and what with it.

Where the order of imports matters, a test runs functions of this file in a process of its own,
forked from one that has imported what is slow to import, and nothing of ours. Of our modules this
file may therefore import at its top only compat.
"""

from __future__ import annotations

import enum
import io
import itertools
import multiprocessing
import os
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from lwam_mm import compat
from lwam_mm.errors import UserError

SWITCH = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
HUBS = (f"compat_{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def in_fresh_process():
    """Function that calls another one in a process where nothing is repaired."""
    context = multiprocessing.get_context("forkserver")
    slow = ["torch.onnx", "scipy.optimize", "scipy.stats", "sklearn.tree", "mmengine.runner"]
    context.set_forkserver_preload([*slow, "mmseg"])

    def call(function, *args):
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(function, *args).result()

    return call


@pytest.fixture
def lite_mmcv():
    """Skip where mmcv is compiled, as these repairs then have nothing to do."""
    import mmcv

    if list(Path(mmcv.__file__).parent.glob("_ext*")):
        pytest.skip("mmcv is compiled here")


# mmcv


def test_missing_mmcv_is_named_with_the_remedy(monkeypatch):
    compat.require_mmcv()
    monkeypatch.setitem(sys.modules, "mmcv", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lwam-mm\[lite\]'") as error:
        compat.require_mmcv()
    assert error.value.name == "mmcv"
    with pytest.raises(ModuleNotFoundError, match="lwam-mm"):
        compat.apply()  # says so before anything fails to import it


def import_mmseg_models() -> str | None:
    try:
        import mmseg.models  # noqa: F401
    except ImportError as error:
        return str(error)
    return None


def call_an_operator() -> tuple:
    applied = compat.stub_missing_mmcv_ops(), compat.stub_missing_mmcv_ops()
    failure = import_mmseg_models()
    from mmcv.ops import sigmoid_focal_loss
    from mmengine.utils.dl_utils import mmcv_full_available

    try:
        sigmoid_focal_loss(torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))
    except RuntimeError as error:
        called = str(error)
    return applied, failure, called, mmcv_full_available(), "mmcv._ext" in sys.modules


def test_mmseg_imports_without_compiled_operators(in_fresh_process, lite_mmcv):
    assert in_fresh_process(import_mmseg_models) == "No module named 'mmcv._ext'"

    applied, failure, called, compiled, faked = in_fresh_process(call_an_operator)
    assert applied == (True, False)
    assert failure is None
    assert "compiled operator 'sigmoid_focal_loss_forward' was called" in called
    assert "No module named 'mmcv._ext'" in called
    assert "Install a compiled mmcv" in called
    assert not compiled
    assert not faked


def stub_beside_extension(folder: Path, source: str) -> tuple:
    import mmcv
    from mmcv.utils import ext_loader
    from mmengine.utils.dl_utils import mmcv_full_available

    folder.joinpath("_ext.py").write_text(source)
    mmcv.__path__.append(str(folder))
    stock = ext_loader.load_ext
    applied = compat.stub_missing_mmcv_ops()
    operator = ext_loader.load_ext("_ext", ["nms"]).nms
    try:
        called = operator()
    except RuntimeError as error:
        called = str(error)
    return applied, ext_loader.load_ext is stock, called, mmcv_full_available()


def test_compiled_mmcv_is_left_alone(in_fresh_process, lite_mmcv, tmp_path):
    source = "def nms():\n    return 'compiled'\n"
    found = in_fresh_process(stub_beside_extension, tmp_path, source)
    assert found == (False, True, "compiled", True)


def test_compiled_mmcv_that_does_not_load_is_told(in_fresh_process, lite_mmcv, tmp_path):
    source = "raise ImportError('undefined symbol: _ZN2at4_ops')\n"
    applied, is_stock, called, _ = in_fresh_process(stub_beside_extension, tmp_path, source)
    assert (applied, is_stock) == (True, False)
    assert "undefined symbol: _ZN2at4_ops" in called


# mmrazor


def import_mmrazor_models(repairs: tuple[str, ...]) -> tuple:
    compat.stub_missing_mmcv_ops()
    before = sys.getrecursionlimit()
    applied = [getattr(compat, repair)() for repair in repairs]
    try:
        import mmrazor.models  # noqa: F401
    except ImportError as error:
        return applied, str(error), None
    return applied, None, sys.getrecursionlimit() - before


def call_a_quantization_table() -> tuple:
    compat.stub_missing_mmcv_ops()
    applied = compat.stub_mmrazor_quantization(), compat.stub_mmrazor_quantization()
    from mmrazor.structures import quantization

    try:
        quantization.get_native_backend_config()
    except RuntimeError as error:
        return applied, quantization.BackendConfigs, str(error)
    return applied, quantization.BackendConfigs, None


def test_mmrazor_imports_on_todays_torch(in_fresh_process):
    pytest.importorskip("mmrazor")
    _, failure, _ = in_fresh_process(import_mmrazor_models, ())
    assert "torch>=1.13` is not installed properly" in failure

    applied, tables, called = in_fresh_process(call_a_quantization_table)
    assert applied == (True, False)
    assert tables == {}
    assert "do not work with this version of torch" in called


def test_mmrazor_leaves_the_recursion_limit(in_fresh_process):
    pytest.importorskip("mmrazor")
    tables, limit = "stub_mmrazor_quantization", "keep_recursion_limit"
    _, failure, raised_by = in_fresh_process(import_mmrazor_models, (tables,))
    assert failure is None
    assert raised_by > 1_000_000

    applied, _, raised_by = in_fresh_process(import_mmrazor_models, (tables, limit, limit))
    assert applied == [True, True, False]
    assert raised_by == 0


def test_mmrazor_need_not_be_installed(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "mmrazor"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mmrazor", None)
    assert not compat.stub_mmrazor_quantization()
    assert not compat.keep_recursion_limit()


# Checkpoints: what mmengine writes


class Phase(enum.IntEnum):
    LATE = 2


class Part(str, enum.Enum):
    STUDENT = "student"


@pytest.fixture
def hub():
    from mmengine.logging import MessageHub

    return MessageHub.get_instance(next(HUBS))


@pytest.fixture
def new_hub():
    from mmengine.logging import MessageHub

    return lambda: MessageHub.get_instance(next(HUBS))


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
        experiment_name=next(HUBS),
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
    "value", [object(), [1, {"a": object()}], np.array([object()]), {1, 2}], ids=str
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


# Checkpoints: what is loaded


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


# What is written


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


def test_config_is_formatted_once(monkeypatch):
    import mmengine.config.config as module
    from mmengine.config import Config

    calls = []
    stock = module.FormatCode.__wrapped__
    monkeypatch.setattr(
        module, "FormatCode", lambda *a, **kw: (calls.append(a), stock(*a, **kw))[1]
    )
    assert compat.format_configs_once()
    config = Config(dict(a=1, b=dict(c=[1, 2])))
    texts = {config.pretty_text for _ in range(3)}
    config.a = 2
    assert len(calls) == 1
    assert config.pretty_text not in texts
    assert texts == {"a = 1\nb = dict(c=[\n    1,\n    2,\n])\n"}


# Processes


def start_one_process(address: str, repaired: bool) -> tuple[str, str]:
    """The error where mmengine starts a process, and the backend that it has else."""
    if repaired:
        assert compat.start_processes_without_gpu()
    assert not (repaired and compat.start_processes_without_gpu())
    from mmengine.dist import get_backend, init_dist

    os.environ.update(RANK="0", LOCAL_RANK="0")
    set_device = torch.cuda.set_device
    try:
        init_dist("pytorch", backend="gloo", init_method=address, rank=0, world_size=1)
    except Exception as error:
        return type(error).__name__, ""
    assert torch.cuda.set_device is set_device
    return "", get_backend()


def test_processes_start_without_gpu(in_fresh_process, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU, and upstream finds it")
    address = f"file://{tmp_path / 'meeting'}"
    assert in_fresh_process(start_one_process, address, True) == ("", "gloo")
    assert in_fresh_process(start_one_process, address, False)[0] in (
        "AttributeError",
        "RuntimeError",
    )


# Warnings


def provoke_warnings(repaired: bool) -> tuple[list[str], int]:
    """Messages shown under ``python -W default``, and the number of filters."""
    warnings.resetwarnings()
    warnings.simplefilter("default")
    compat.stub_missing_mmcv_ops()
    if repaired:
        compat.ignore_warnings_about_upstream()
        compat.ignore_warnings_about_upstream()
    filters = len(warnings.filters)
    from mmengine.visualization import Visualizer
    from mmseg.engine.hooks import SegVisualizationHook
    from mmseg.models.decode_heads import FCNHead

    Visualizer.get_instance("warnings")
    with warnings.catch_warnings(record=True) as shown:
        head = dict(in_channels=4, channels=4, num_classes=3, norm_cfg=dict(type="BN"))
        FCNHead(**head, loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True))
        SegVisualizationHook(draw=False)
        warnings.warn("something else, but a build_loss too", UserWarning, stacklevel=1)
    return [str(warning.message) for warning in shown], filters


def test_listed_warnings_alone_are_ignored(in_fresh_process):
    shown, _ = in_fresh_process(provoke_warnings, False)
    assert [message[:25] for message in shown] == [
        "``build_loss`` would be d",
        "The draw is False, it mea",
        "something else, but a bui",
    ]
    shown, filters = in_fresh_process(provoke_warnings, True)
    assert shown == ["something else, but a build_loss too"]
    assert filters == 1 + len(compat._ABOUT_UPSTREAM)


# mmdeploy


def export_within_mmdeploy(folder: Path, repaired: bool) -> tuple:
    compat.stub_missing_mmcv_ops()
    from mmdeploy.core import RewriterContext

    applied = [compat.export_by_torchscript() for _ in range(2)] if repaired else []
    asked_for, stock = [], torch.onnx.export

    def export(*args, dynamo=True, **kwargs):
        asked_for.append(dynamo)
        if not dynamo:
            stock(*args, dynamo=dynamo, **kwargs)

    torch.onnx.export = export
    model, x = torch.nn.Conv2d(3, 4, 1), torch.zeros(1, 3, 8, 8)
    with RewriterContext(dict(), backend="onnxruntime"):
        torch.onnx.export(model, x, str(folder / "inside.onnx"))
    torch.onnx.export(model, x, str(folder / "outside.onnx"))
    return applied, asked_for, torch.onnx.export is export


def test_mmdeploy_alone_exports_by_torchscript(in_fresh_process, tmp_path):
    pytest.importorskip("onnx")
    _, asked_for, _ = in_fresh_process(export_within_mmdeploy, tmp_path, False)
    assert asked_for == [True, True]

    applied, asked_for, restored = in_fresh_process(export_within_mmdeploy, tmp_path, True)
    assert applied == [True, False]
    assert asked_for == [False, True]
    assert restored
    import onnx

    onnx.checker.check_model(str(tmp_path / "inside.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["inside.onnx"]


# All together


def apply_twice() -> tuple[bool, bool, list[str]]:
    before = sys.getrecursionlimit()
    compat.apply()
    compat.apply()
    import mmrazor.models  # noqa: F401
    import mmseg.models  # noqa: F401
    from mmengine.logging import MessageHub
    from mmengine.runner.checkpoint import CheckpointLoader

    return (
        hasattr(MessageHub.state_dict.__wrapped__, "__wrapped__"),
        sys.getrecursionlimit() == before,
        [f.__name__ for f in (CheckpointLoader._schemes[""], MessageHub.state_dict.__wrapped__)],
    )


def test_repairs_can_be_applied_again(in_fresh_process):
    pytest.importorskip("mmrazor")
    assert in_fresh_process(apply_twice) == (
        False,
        True,
        ["load_local_checkpoint", "state_dict"],
    )
    assert not compat.save_message_hub_as_plain_data()
    assert not compat.refuse_unsafe_checkpoints()
    assert not compat.write_checkpoints_whole()
    assert not compat.format_configs_once()
    assert not compat.start_processes_without_gpu()
    assert not compat.stub_missing_mmcv_ops()
