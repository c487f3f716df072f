"""All repairs together.

Where the order of imports matters, a test runs functions of this file in a process of its own,
forked from one that has imported what is slow to import, and nothing of ours. Of our modules this
file may therefore import at its top only compat.
"""

from __future__ import annotations

import sys

import pytest

from lwam_mm import compat


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
    assert not compat.build_dataloaders_without_workers()
    assert not compat.repair_exporter()
    assert not compat.stub_missing_mmcv_ops()
