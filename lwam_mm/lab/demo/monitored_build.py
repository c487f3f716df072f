"""A drawn build, watched by the layer monitor."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lwam_mm.datasets.synthetic import draw_layer, make_build
from lwam_mm.utils.errors import UserError
from lwam_mm.utils.paths import configs_folder
from lwam_mm.utils.png_files import write_png

BUILD = "drawn"
_TOOL = configs_folder().parent / "tools" / "monitor.py"
_INDEX = 1000  # far behind the builds of the data set
_CRITICAL_ALARM = 3


def monitor_build(
    folder: Path, bundle: Path, *, layers: int, size: int, seed: int, say: Callable[[str], None]
) -> None:
    """Draw a build, the first half of it clean, and run the monitor's commands on it.

    Args:
        folder: Folder of the layers, the config and the record; an earlier one is replaced.
        bundle: The bundle that inspects the layers.
        layers: Number of layers.
        size: Height and width of a layer, px.
        seed: Seed of the drawing.
        say: Gets each command.

    Raises:
        UserError: A command failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    watched, config = folder / "layers", folder / "monitor.toml"
    build = make_build(seed, _INDEX, size, layers)
    for layer in range(layers):
        image, _ = draw_layer(build, layer, with_defects=layer >= layers // 2)
        write_png(watched / f"{BUILD}_{layer + 1:04d}.png", image)
    commands = [
        ["init", bundle, watched, "--out", config],
        ["run", config, "--once"],
        ["status", config],
        ["report", config, "--build", BUILD, "--out", folder / "report.html"],
    ]
    for command in commands:
        words = [str(word) for word in command]
        shown = " ".join(["python tools/monitor.py", *words])
        say(f"$ {shown}")
        done = subprocess.run([sys.executable, str(_TOOL), *words], check=False)
        if done.returncode not in (0, _CRITICAL_ALARM):
            raise UserError(f"{shown} failed: its error stands above")
