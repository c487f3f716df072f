"""Configs, processes and warnings, without the repairs and with them.

Where the order of imports matters, a test runs functions of this file in a process of its own,
forked from one that has imported what is slow to import, and nothing of ours. Of our modules this
file may therefore import at its top only compat.
"""

from __future__ import annotations

import os
import warnings

import pytest
import torch

from lwam_mm import compat
from lwam_mm.compat import running


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


WORKER_OPTIONS = dict(
    persistent_workers=True, prefetch_factor=2, multiprocessing_context="fork", timeout=5
)


def build_loader(**options):
    from mmengine.runner import Runner

    settings = dict(
        dataset=range(4), sampler=torch.utils.data.SequentialSampler(range(4)), batch_size=2
    )
    return Runner.build_dataloader(dataloader=settings | options, seed=1)


def build_without_workers() -> list[str]:
    """The errors, one for each option that torch takes for worker processes alone."""
    errors = []
    for name, value in WORKER_OPTIONS.items():
        try:
            list(build_loader(num_workers=0, **{name: value}))
        except (ValueError, AssertionError) as error:
            errors.append(str(error))
    return errors


def test_options_for_workers_need_workers_upstream(in_fresh_process):
    """Once this fails, mmengine or torch does the work and the repair can go."""
    assert len(in_fresh_process(build_without_workers)) == len(WORKER_OPTIONS)


@pytest.mark.parametrize("given", [dict(num_workers=0), dict()], ids=["0", "default"])
def test_options_for_workers_are_left_out_without_workers(given):
    settings = dict(given, **WORKER_OPTIONS)
    loader = build_loader(**settings)
    assert [list(batch) for batch in loader] == [[0, 1], [2, 3]]
    assert settings == given | WORKER_OPTIONS  # the config stays as it is


def test_options_for_workers_are_kept_with_workers():
    loader = build_loader(num_workers=1, **WORKER_OPTIONS)
    assert {name: getattr(loader, name) for name in ("persistent_workers", "timeout")} == dict(
        persistent_workers=True, timeout=5
    )
    assert build_loader(num_workers=1).persistent_workers is False
    assert build_loader(num_workers=0, batch_size=4).batch_size == 4


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
    assert filters == 1 + len(running._UPSTREAM_WARNINGS)
