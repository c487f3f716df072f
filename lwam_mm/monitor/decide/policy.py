"""The rules that make a region an alarm."""

from dataclasses import dataclass

from lwam_mm.monitor.decide.decision import Severity
from lwam_mm.runtime.errors import SettingError

MOST = 1_000_000
"""No build has so many layers, and no frame so many pixels on a side."""


@dataclass(frozen=True)
class Rule:
    """When a place of one class is an alarm.

    A layer is evidence if the regions there that are probable enough are together large enough.
    What is not known, a probability or mm², never keeps a region from counting.

    Attributes:
        class_name: The class.
        severity: The alarm's. A class may have one rule for each.
        least_area_px: Least area, px.
        least_area_mm2: Least area, mm², which must be reached as well; None: px alone count.
        least_probability: Least mean probability of a region, 0..1.
        layers: So many of the last ``of`` inspected layers must be evidence at the same place.
        of: See ``layers``.
        over_part: The area of a region on a part counts this many times.
        end_share: While the alarm is open, a layer keeps it open with this share of the least
            areas, 0..1.
        end_after: The alarm ends after so many inspected layers in a row that do not.
    """

    class_name: str
    severity: Severity = "minor"
    least_area_px: float = 1
    least_area_mm2: float | None = None
    least_probability: float = 0.0
    layers: int = 1
    of: int = 1
    over_part: float = 1.0
    end_share: float = 0.5
    end_after: int = 3

    # For pydantic, which reads configs: a name that does not exist is an error.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  dataclasses ignore it

    def __post_init__(self) -> None:
        self._check(
            self.severity in ("minor", "critical"), "severity", 'give "minor" or "critical"'
        )
        self._check(self.least_area_px >= 0, "least_area_px", "give 0 or more")
        self._check((self.least_area_mm2 or 0) >= 0, "least_area_mm2", "give 0 or more")
        self._check(0 <= self.least_probability <= 1, "least_probability", "give 0 to 1")
        self._check(1 <= self.of <= MOST, "of", f"give 1 to {MOST} layers")
        self._check(1 <= self.layers <= self.of, "layers", f"give 1 to of = {self.of}")
        self._check(self.over_part > 0, "over_part", "give more than 0")
        self._check(0 <= self.end_share <= 1, "end_share", "give 0 to 1")
        self._check(1 <= self.end_after <= MOST, "end_after", f"give 1 to {MOST} layers")

    def _check(self, right: bool, name: str, remedy: str) -> None:
        if not right:
            value = getattr(self, name)
            raise SettingError(f"rule of {self.class_name}: {name} is {value!r}: {remedy}")


@dataclass(frozen=True)
class Policy:
    """All rules of a camera, and how its regions are followed.

    Attributes:
        rules: At most one of each class and severity.
        reach_px: See `Tracker`.
        background_layers: In the first so many inspected layers of a build the background is still
            being learned, so what would be an alarm makes the layer minor. If it is no background,
            the alarm follows. The same number as `Background` has.
        camera_layers: So many unusable frames in a row raise a camera alarm.
        camera_severity: That alarm's severity. What is only a warning is minor.
    """

    rules: tuple[Rule, ...] = ()
    reach_px: int = 5
    background_layers: int = 3
    camera_layers: int = 1
    camera_severity: Severity = "minor"

    # For pydantic, which reads configs: a name that does not exist is an error.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  dataclasses ignore it

    def __post_init__(self) -> None:
        for name, least in (("reach_px", 0), ("background_layers", 0), ("camera_layers", 1)):
            if getattr(self, name) < least:
                raise SettingError(f"{name} is {getattr(self, name)}: give {least} or more")
        if self.reach_px > MOST:
            raise SettingError(f"reach_px is {self.reach_px}: give {MOST} or less")
        if self.camera_severity not in ("minor", "critical"):
            raise SettingError(
                f'camera_severity is {self.camera_severity!r}: give "minor" or "critical"'
            )
        seen = set()
        for rule in self.rules:
            if (rule.class_name, rule.severity) in seen:
                raise SettingError(
                    f"two {rule.severity} rules of {rule.class_name}: keep one of them"
                )
            seen.add((rule.class_name, rule.severity))

    @property
    def memory(self) -> int:
        """So many inspected layers back a decision may look."""
        return max([1, *(max(rule.of, rule.end_after) for rule in self.rules)])

    def check_classes(self, classes: tuple[str, ...]) -> None:
        """Refuse a rule of a class that the model does not have, which would never raise an alarm.

        Raises:
            SettingError: There is such a rule.
        """
        for rule in self.rules:
            if rule.class_name not in classes[1:]:
                raise SettingError(
                    f"a rule is of the class {rule.class_name!r}, but the model finds "
                    f"{', '.join(classes[1:])}: name one of them"
                )
