"""Build, layer and step from a file's name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lwam_mm.monitor.record.tables import STEPS
from lwam_mm.utils.errors import ConfigError, UserError

_NUMBER = re.compile(r"[0-9]{1,30}([.][0-9]{1,30})?")
MAX_LAYER = 2**31 - 1  # what the record's column holds


class LayerNameError(UserError, ValueError):
    """A file's name says no build, layer or step."""


@dataclass(frozen=True, order=True)
class LayerName:
    """What a file's name says. Sorted, the layers of a build come in the order they were made.

    Attributes:
        build: Name of the build.
        number: The layer.
        step_order: Position of the step in a layer.
        height_um: Height of the layer, µm; None if the name has a number instead.
    """

    build: str
    number: int
    step_order: int
    height_um: float | None = None

    @property
    def step(self) -> str:
        """Which step of the layer: "recoated" or "exposed"."""
        return STEPS[self.step_order]


class NamePattern:
    """A regular expression for file names, with named groups.

    Args:
        pattern: Must match the whole path below the watched folder, with "/" between folders. Its
            groups: ``layer`` (a number) or ``height`` (µm), and if there are any ``build`` and
            ``step``.
        layer_height_um: Thickness of a layer, µm; needed for ``height``.
        steps: What the group ``step`` says -> "recoated" or "exposed".
        step: The step of all files if there is no such group.
        build: The build of all files if there is no such group.

    Raises:
        ConfigError: The pattern cannot work.

    Example:
        >>> pattern = NamePattern(r"(?P<build>SI[0-9]+)_(?P<height>[0-9]+)[.]png", 30.0)
        >>> pattern.read("SI377320210706074338_012030.png")
        LayerName(build='SI377320210706074338', number=401, step_order=0, height_um=12030.0)
    """

    def __init__(
        self,
        pattern: str,
        layer_height_um: float | None = None,
        steps: dict[str, str] | None = None,
        step: str = "recoated",
        build: str = "build",
    ) -> None:
        try:
            self._pattern = re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ConfigError(
                f"watch.pattern {pattern!r} is no regular expression: {error}"
            ) from error
        groups = set(self._pattern.groupindex)
        if unknown := groups - {"build", "layer", "height", "step"}:
            raise ConfigError(
                f"watch.pattern {pattern!r} has groups {sorted(unknown)}: name them build, layer, "
                "height or step, or leave the name out, as in (?:...)"
            )
        if len(groups & {"layer", "height"}) != 1:
            raise ConfigError(
                f"watch.pattern {pattern!r} needs one of the groups (?P<layer>...), a number, and "
                "(?P<height>...), in µm"
            )
        if "height" in groups and layer_height_um is None:
            raise ConfigError(
                "watch.layer_height_um is missing: names have heights, so give the thickness of a "
                "layer in µm"
            )
        if "step" in groups and not steps:
            raise ConfigError(
                f"watch.steps is missing: watch.pattern {pattern!r} has a group step, so say what "
                'it means, such as {A = "recoated", B = "exposed"}'
            )
        for text, meaning in [*(steps or {}).items(), ("", step)]:
            if meaning not in STEPS:
                raise ConfigError(f"watch.steps: {text!r} = {meaning!r} is none of {list(STEPS)}")
        self.has_folders = "/" in pattern
        self._height, self._steps = layer_height_um, steps or {}
        self._step, self._build = step, build

    def read(self, path: str) -> LayerName:
        """Read a file's name.

        Args:
            path: Below the watched folder, with "/" between folders.

        Raises:
            LayerNameError: The name does not match, or what it says has no meaning.
        """
        match = self._pattern.fullmatch(path)
        if match is None:
            raise LayerNameError(
                f"{path!r} does not match watch.pattern: rename it, or change that"
            )
        groups = {name: text for name, text in match.groupdict().items() if text is not None}
        build = groups.get("build", self._build)
        if not build or "\0" in build:
            raise LayerNameError(f"{path!r}: the group build is empty: change watch.pattern")
        step = self._step
        if "step" in groups:
            try:
                step = self._steps[groups["step"]]
            except KeyError:
                raise LayerNameError(
                    f"{path!r}: watch.steps does not say what step {groups['step']!r} is"
                ) from None
        number, height = self._number(path, groups)
        return LayerName(build, number, STEPS.index(step), height)

    def _number(self, path: str, groups: dict[str, str]) -> tuple[int, float | None]:
        text = groups.get("layer", groups.get("height", ""))
        if not _NUMBER.fullmatch(text) or ("layer" in groups and "." in text):
            raise LayerNameError(
                f"{path!r}: {text[:40]!r} is no number: change the groups of watch.pattern"
            )
        value = float(text)
        number = int(text) if "layer" in groups else round(value / (self._height or 1))
        if not 0 <= number <= MAX_LAYER:
            raise LayerNameError(f"{path!r}: layer {text[:40]} is not in 0..{MAX_LAYER}: rename it")
        if "layer" in groups:
            return number, None
        height = self._height or 1
        if abs(value - number * height) > 0.01 * height:
            raise LayerNameError(
                f"{path!r}: height {text[:40]} µm is no multiple of watch.layer_height_um "
                f"{height:g}: correct that"
            )
        return number, value
