"""Reads and checks monitor.toml."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from lwam_mm.monitor.config.policy_file import read_policy
from lwam_mm.monitor.decide.policy import Policy
from lwam_mm.monitor.frame.settings import FrameSettings
from lwam_mm.monitor.measure.plate import Plate
from lwam_mm.monitor.measure.region_of_interest import MOST_PX, read_mask
from lwam_mm.monitor.page.settings import PageSettings
from lwam_mm.monitor.signal.settings import SignalSection
from lwam_mm.monitor.watch.names import NamePattern
from lwam_mm.monitor.watch.paths import printable
from lwam_mm.monitor.watch.peregrine import PeregrineBuild
from lwam_mm.monitor.watch.source import FolderSource, PeregrineSource, Source, peregrine_plate
from lwam_mm.utils.errors import ConfigError, UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Point = tuple[float, float]
Pixels = Annotated[float, Field(ge=-MOST_PX, le=MOST_PX)]
_FILE, _POLYGON = "<file>", "<polygon>"
Region = Annotated[
    Annotated[Path, Tag(_FILE)]
    | Annotated[list[tuple[Pixels, Pixels]], Field(min_length=3), Tag(_POLYGON)],
    # So that an error is about what was meant.
    Discriminator(lambda given: _POLYGON if isinstance(given, list) else _FILE),
]


class _Section(BaseModel):
    # Infinity and NaN pass every comparison or none.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WatchSection(_Section):
    """What is watched: a folder (see `NamePattern` and `FolderPoll`), or a Peregrine build."""

    folder: Path | None = None
    pattern: str | None = None
    peregrine: Path | None = None
    layer_height_um: Annotated[float, Field(ge=0.01, le=100_000)] | None = None
    steps: dict[str, str] = Field(default_factory=dict)
    step: Literal["recoated", "exposed"] = "recoated"
    build: Annotated[str, Field(min_length=1)] = "build"
    poll_s: Annotated[float, Field(gt=0, le=3600)] = 0.5
    stable_polls: Annotated[int, Field(ge=1)] = 2
    decode_tries: Annotated[int, Field(ge=1)] = 20
    max_gap: Annotated[int, Field(ge=0)] = 1000

    @model_validator(mode="after")
    def _check(self) -> WatchSection:
        wanted = "give folder and pattern, or peregrine with an HDF5 file in place of both"
        if self.peregrine is None and (self.folder is None or self.pattern is None):
            raise ValueError(f"folder or pattern is missing: {wanted}")
        if self.peregrine is not None and (self.folder, self.pattern) != (None, None):
            raise ValueError(f"there are two sources: {wanted}")
        return self

    def name_pattern(self) -> NamePattern | None:
        """Return the compiled pattern; None for a Peregrine build."""
        if self.pattern is None:
            return None
        return NamePattern(
            self.pattern, self.layer_height_um, self.steps, self.step, build=self.build
        )


class RecordSection(_Section):
    """Where the record is; see `Record`."""

    folder: Path = Path("record")
    database: str | None = None


class ModelSection(_Section):
    """The bundle, and how long an answer may take."""

    bundle: Path
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    probabilities: bool = False
    deadline_s: Annotated[float, Field(gt=0)] | None = None


class MeasureSection(_Section):
    """Where the frame counts and where it is on the plate."""

    roi: Region | None = None
    parts: Path | None = None
    least_px: Annotated[int, Field(ge=1)] = 1
    background_reach_px: Annotated[int, Field(ge=0, le=1000)] = 3
    image_points: list[Point] = Field(default_factory=list)
    plate_points: list[Point] = Field(default_factory=list)

    def plate(self) -> Plate | None:
        """Return the way from px to mm if points are given, or None."""
        if not self.image_points and not self.plate_points:
            return None
        return Plate(self.image_points, self.plate_points)


class MonitorConfig(_Section):
    """All of monitor.toml."""

    watch: WatchSection
    model: ModelSection
    record: RecordSection = RecordSection()
    measure: MeasureSection = MeasureSection()
    frame: FrameSettings = FrameSettings()
    policy: Policy = Policy()
    signal: SignalSection = SignalSection()
    page: PageSettings = PageSettings()


def make_source(
    config: MonitorConfig,
    white_level: int | None = None,
    done: Mapping[str, tuple[int, int]] | None = None,
) -> Source:
    """Make the source of the layers; see `FolderSource` and `PeregrineSource`."""
    watch = config.watch
    if watch.peregrine is not None:
        return PeregrineSource(watch.peregrine, done, watch.stable_polls)
    pattern = watch.name_pattern()
    assert watch.folder is not None
    assert pattern is not None
    return FolderSource(
        watch.folder, pattern, config.measure.parts, white_level, done, watch.stable_polls
    )


def check_files(config: MonitorConfig) -> None:
    """Refuse a config whose files are not there, before layers are judged without them.

    Raises:
        ConfigError: The folder of parts or the mask of the region of interest cannot be used.
    """
    parts, roi = config.measure.parts, config.measure.roi
    if parts is not None and not os.path.isdir(parts):  # noqa: PTH112  never an error
        raise ConfigError(
            f"measure.parts: {parts} is no folder: give the one with a mask of parts for each "
            "image, or remove the key"
        )
    if isinstance(roi, Path):
        read_mask(roi)


def plate_of(config: MonitorConfig) -> Plate | None:
    """Return the way from px to mm: by the config's points, else by the scale of a Peregrine build.

    Raises:
        PeregrineError: Its file cannot be read.
    """
    plate = config.measure.plate()
    if plate is None and config.watch.peregrine is not None:
        plate = peregrine_plate(config.watch.peregrine)
    return plate


def layer_height_um(config: MonitorConfig) -> float | None:
    """Return the thickness of a layer in µm; None if it is not known.

    Raises:
        PeregrineError: The file of a Peregrine build cannot be read.
    """
    if config.watch.layer_height_um is None and config.watch.peregrine is not None:
        with closing(PeregrineBuild(config.watch.peregrine)) as build:
            return build.layer_height_um
    return config.watch.layer_height_um


def read_config(path: str | Path) -> tuple[MonitorConfig, str]:
    """Read a config. Relative paths in it are relative to its folder.

    Returns:
        The config, and for the record all that it was read from: the text of the file and, if
        ``policy`` names a file of rules, of that.

    Raises:
        ConfigError: It cannot be read or is wrong; file, key and remedy are named.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}: give a TOML file in UTF-8") from error
    config = parse_config(text, path)
    if isinstance(rules := tomllib.loads(text).get("policy"), str):
        rules_text = (path.parent / rules).read_text("utf-8-sig")
        text = f"{text.rstrip()}\n\n# {rules}:\n{rules_text}"
    return config, text


def parse_config(text: str, path: Path) -> MonitorConfig:
    """Check the text of the config file ``path``; see `read_config`."""
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no TOML: {error}: correct it") from error
    if isinstance(rules := values.get("policy"), str):
        try:
            values["policy"] = read_policy(path.parent / rules)
        except UserError as error:
            raise ConfigError(f"{path}: policy: {error}") from error
    try:
        config = MonitorConfig.model_validate(values)
        config.watch.name_pattern()
        config.measure.plate()
        return _absolute(config, path.absolute().parent)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error
    except UserError as error:
        raise ConfigError(f"{path}: {error}") from error


def _explain(error: ValidationError) -> str:
    found = []
    for problem in error.errors():
        # The tags of a region's forms are no keys.
        parts = [str(part) for part in problem["loc"] if part not in (_FILE, _POLYGON)]
        key = ".".join(parts) or "the file"
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            found.append(f"{key} is no setting: correct its spelling or remove it")
        elif problem["type"] == "missing":
            found.append(f"{key} is missing: add it")
        elif problem["type"] == "value_error":  # our own words
            found.append(f"{key}: {problem['ctx']['error']}")
        else:
            found.append(f"{key} is {problem['input']!r:.80}: {problem['msg']}: correct it")
    return "; ".join(found)


def _absolute(config: MonitorConfig, folder: Path) -> MonitorConfig:
    def place(section: BaseModel, name: str, *keys: str) -> BaseModel:
        paths = {
            key: _place(folder, value, f"{name}.{key}")
            for key in keys
            if isinstance(value := getattr(section, key), Path)
        }
        return section.model_copy(update=paths)

    signal = config.signal
    if signal.mqtt is not None:
        mqtt = place(signal.mqtt, "signal.mqtt", "ca_file")
        signal = signal.model_copy(update={"mqtt": mqtt})
    return config.model_copy(
        update={
            "signal": signal,
            "watch": place(config.watch, "watch", "folder", "peregrine"),
            "model": place(config.model, "model", "bundle"),
            "record": place(config.record, "record", "folder"),
            "measure": place(config.measure, "measure", "roi", "parts"),
        }
    )


def _place(folder: Path, path: Path, key: str) -> Path:
    """Return a path of the config as an absolute one.

    Raises:
        ConfigError: No file can be there, or the record cannot hold the name.
    """
    try:
        placed = folder / path.expanduser()
    except RuntimeError as error:  # there is no such user
        raise ConfigError(f"{key} is {str(path)!r}: {error} Write the path out") from error
    if "\0" in str(placed):
        raise ConfigError(f"{key} is {str(placed)!r}: no path has the character NUL: correct it")
    if printable(placed) != str(placed):
        raise ConfigError(
            f"{key} is {printable(placed)}: the name is not in UTF-8: rename the folder"
        )
    return placed
