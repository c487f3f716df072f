"""The config that ``init`` writes."""

from __future__ import annotations

import json
from pathlib import Path

from lwam_mm.monitor.config.config import parse_config
from lwam_mm.runtime import read_bundle
from lwam_mm.utils.atomic_files import write_atomically
from lwam_mm.utils.errors import ConfigError

_TEMPLATE = """\
# The layer monitor; docs/monitor.md explains every setting.

[watch]
folder = {folder}
# A regular expression for file names, with the groups build, layer (or height, in µm) and step.
pattern = '(?P<build>.+)_(?P<layer>[0-9]+)[.](png|jpe?g|tiff?|bmp)'
# layer_height_um = 30                            # thickness of a layer; for the group height
# steps = {{ A = "recoated", B = "exposed" }}       # what the group step says
poll_s = 0.5                                      # how often the folder is looked at
stable_polls = 2                                  # a file that stood still so long is complete

[model]
bundle = {bundle}
# deadline_s = 8                                  # later answers count as "not inspected"

[record]
folder = "record"
# database = "postgresql://user@host/name"        # instead of SQLite in that folder

[measure]
# roi = [[0, 0], [1023, 0], [1023, 1023], [0, 1023]]  # the powder surface, px; or a mask's file
# parts = "parts"                                 # folder with a mask of parts for each image
# image_points = [[0, 0], [1023, 0], [1023, 1023], [0, 1023]]  # px ...
# plate_points = [[0, 250], [250, 250], [250, 0], [0, 0]]      # ... and where they are, mm

[page]
port = 8460                                       # http://localhost:8460/
# address = "0.0.0.0"                             # for others; needs token_variable = "NAME"

# Signals are requests, never a safety function. All are off until their section is there.
# [signal.webhook]
# url = "https://example.org/alarms"
# [signal.mqtt]
# host = "localhost"
# [signal.modbus]
# address = "127.0.0.1"                           # 0.0.0.0: a PLC elsewhere may read
{rules}"""

_RULE = """
[[policy.rules]]
class_name = {name}
severity = "minor"
least_area_px = 50                                # calibrate sets it from good builds
layers = 2                                        # in so many ...
of = 3                                            # ... of the last so many layers
"""


def write_template(bundle: Path, folder: Path, out: Path) -> None:
    """Write a commented config for a bundle and a watched folder.

    Raises:
        ConfigError: ``out`` exists.
        BundleError: The bundle is unreadable.
    """
    if out.exists():
        raise ConfigError(f"{out} exists: remove it or give another --out")
    classes = read_bundle(bundle).manifest.classes[1:]
    text = _TEMPLATE.format(
        folder=_quote(folder.absolute()),
        bundle=_quote(bundle.absolute()),
        rules="".join(_RULE.format(name=_quote(name)) for name in classes),
    )
    parse_config(text, out)
    write_atomically(out, text.encode())


def _quote(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)  # a TOML string is written the same way
