"""Configs of a narrow student and teacher, with a small data set."""

from __future__ import annotations

from pathlib import Path

from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.utils.paths import configs_folder

SIZE = 64
_BASES = {
    "student": "lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py",
    "teacher": "unetpp-w8_1xb4-400i_powder-bed-synthetic-96x96.py",
}


def write_narrow_configs(folder: Path) -> dict[str, Path]:
    """Draw the data set and write the configs; return their files as "student" and "teacher"."""
    root = folder / "data"
    generate_dataset(root, images=24, size=SIZE, seed=0)
    files = {}
    for name, base in _BASES.items():
        files[name] = folder / f"{name}.py"
        files[name].write_text(
            f"_base_ = [{str(configs_folder() / 'demo' / base)!r}]\n"
            "model = dict(backbone=dict(base_channels=8), decode_head=dict(base_channels=8))\n"
            "for loader in (_base_.train_dataloader, _base_.val_dataloader):\n"
            f"    loader.dataset.data_root = {str(root)!r}\n"
            "for loader in (_base_.val_dataloader, _base_.test_dataloader):\n"
            f"    loader.dataset.pipeline[1].scale = ({SIZE}, {SIZE})\n"
        )
    return files
