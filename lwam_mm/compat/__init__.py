"""Repairs of upstream packages: one function each, applied only where it is needed.

The last releases of mmcv, mmengine, mmrazor and mmdeploy are older than today's torch and Python.
Each function names the versions it repairs and the upstream thread. It returns True if the
repair was applied, and False if it is not due or had been applied before. :func:`apply` runs all.
"""

# ruff: noqa: F401  the repairs and their errors are imported from here

from __future__ import annotations

from lwam_mm.compat.checkpoints import (
    CheckpointNotWrittenError,
    UnreadableCheckpointError,
    UnsafeCheckpointError,
    refuse_unsafe_checkpoints,
    write_checkpoints_whole,
)
from lwam_mm.compat.export import (
    export_by_torchscript,
    let_rewriters_import,
    repair_exporter,
)
from lwam_mm.compat.imports import (
    keep_recursion_limit,
    require_mmcv,
    stub_missing_mmcv_ops,
    stub_mmrazor_quantization,
)
from lwam_mm.compat.message_hub import save_message_hub_as_plain_data
from lwam_mm.compat.running import (
    build_dataloaders_without_workers,
    format_configs_once,
    ignore_warnings_about_upstream,
    start_processes_without_gpu,
)


def apply() -> None:
    """Apply all repairs. Further calls change nothing.

    Raises:
        ModuleNotFoundError: Neither mmcv nor mmcv-lite is installed.
    """
    require_mmcv()
    stub_missing_mmcv_ops()
    stub_mmrazor_quantization()
    keep_recursion_limit()
    save_message_hub_as_plain_data()
    refuse_unsafe_checkpoints()
    write_checkpoints_whole()
    format_configs_once()
    start_processes_without_gpu()
    build_dataloaders_without_workers()
    ignore_warnings_about_upstream()
    repair_exporter()
