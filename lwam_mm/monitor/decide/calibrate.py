"""From good builds and a budget of false alarms to thresholds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lwam_mm.monitor.decide.decision import SeenLayer
from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.monitor.decide.rates import poisson_upper_bound
from lwam_mm.monitor.decide.replay import replay
from lwam_mm.runtime.errors import SettingError

# Thresholds tried for a rule: more would fit the good builds' chance more than their defects.
_CANDIDATES = 40

Build = Sequence[SeenLayer]
"""A build's layers in the order of their recording."""


@dataclass(frozen=True)
class Calibration:
    """Thresholds for a budget, and what alarms to expect from them on good builds.

    Attributes:
        policy: The policy, with ``least_area_px`` of each rule set.
        layers: Inspected layers of the good builds.
        alarms: Defect alarms that the policy raises on them: all false.
        measured: The same per 1,000 layers. The thresholds were fitted to these very layers, so
            this is the least that can happen.
        expected: Per 1,000 layers of a build that was not used: each build decided by the
            thresholds that the others gave. None for a single build.
        bound: Upper bound per 1,000 layers: the exact one-sided 95 % bound of a Poisson process
            for the alarms behind ``expected``, or behind ``measured`` for a single build.
        allowed: The budget per 1,000 layers.
    """

    policy: Policy
    layers: int
    alarms: int
    measured: float
    expected: float | None
    bound: float
    allowed: float

    def summary(self) -> str:
        """Return the figures for the user, a line each."""
        rates = {
            "allowed": f"{self.allowed:.2f} (the budget)",
            "measured": f"{self.measured:.2f} ({self.alarms} alarms on the {self.layers} inspected "
            "layers that chose the thresholds)",
            "expected": "not known: give two good builds or more"
            if self.expected is None
            else f"{self.expected:.2f} (each build decided by the thresholds of the others)",
            "bound": f"{self.bound:.2f} (Poisson, one-sided 95 %)",
        }
        lines = ["False alarms per 1,000 layers:"]
        lines += [f"  {name:8} {text}" for name, text in rates.items()]
        lines.append("Least areas:")
        for rule in self.policy.rules:
            name = f"{rule.class_name}, {rule.severity}"
            lines.append(f"  {name:24} {rule.least_area_px:g} px")
        return "\n".join(lines)


def calibrate(
    builds: Sequence[Build],
    policy: Policy,
    budget: float,
    layers_per_build: int | None = None,
) -> Calibration:
    """Find the smallest areas that keep to a budget of false alarms on good builds.

    Every rule gets the same share of the budget. Its least area is the smallest with which the rule
    raises no more alarms than its share, and none of the larger ones tried does either. All else
    about the rule stays: probability, number of layers, weight of parts.

    Args:
        builds: Recorded layers of builds without defects.
        policy: The rules whose ``least_area_px`` is sought.
        budget: False alarms that are allowed in a build, all rules together.
        layers_per_build: Layers of such a build; None: as many as the good builds have on average.

    Returns:
        The thresholds, and the number of alarms measured and to be expected.

    Raises:
        SettingError: There is no inspected layer or no rule, or the budget is negative.
    """
    counts = [sum(layer.inspected for layer in build) for build in builds]
    layers = sum(counts)
    if not layers:
        raise SettingError(
            f"calibrate: the {len(builds)} builds have no inspected layer: name good builds that "
            "the monitor has recorded"
        )
    if not policy.rules:
        raise SettingError("calibrate: the policy has no rule: give one for each class that counts")
    if not budget >= 0 or not math.isfinite(budget):
        raise SettingError(f"calibrate: the budget is {budget}: give alarms a build, 0 or more")
    if layers_per_build is not None and layers_per_build < 1:
        raise SettingError(f"calibrate: layers_per_build is {layers_per_build}: give 1 or more")
    rate = budget / (layers_per_build or layers / len(builds))
    fitted = _fit(builds, policy, rate)
    alarms = sum(_alarms(build, fitted) for build in builds)
    unseen = alarms
    if len(builds) > 1:
        unseen = 0
        for index, build in enumerate(builds):
            others = [other for at, other in enumerate(builds) if at != index]
            unseen += _alarms(build, _fit(others, policy, rate))
    return Calibration(
        policy=fitted,
        layers=layers,
        alarms=alarms,
        measured=1000 * alarms / layers,
        expected=1000 * unseen / layers if len(builds) > 1 else None,
        bound=1000 * poisson_upper_bound(unseen) / layers,
        allowed=1000 * rate,
    )


def _fit(builds: Sequence[Build], policy: Policy, rate: float) -> Policy:
    layers = sum(layer.inspected for build in builds for layer in build)
    share = rate * layers / len(policy.rules)
    rules = tuple(_fit_rule(builds, policy, rule, share) for rule in policy.rules)
    return replace(policy, rules=rules)


def _fit_rule(builds: Sequence[Build], policy: Policy, rule: Rule, allowed: float) -> Rule:
    builds = [[_of_class(layer, rule.class_name) for layer in build] for build in builds]
    fitted = rule
    for area in _candidates(builds, rule):
        tried = replace(rule, least_area_px=area)
        if sum(_alarms(build, replace(policy, rules=(tried,))) for build in builds) > allowed:
            break
        fitted = tried
    return fitted


def _of_class(layer: SeenLayer, name: str) -> SeenLayer:
    """Return a layer without regions of other classes: a rule does not see them."""
    if layer.regions is None:
        return layer
    return replace(layer, regions=tuple(r for r in layer.regions if r.class_name == name))


def _candidates(builds: Sequence[Build], rule: Rule) -> list[float]:
    """Return areas to try, the largest first: above all that was seen, and down to nothing."""
    areas = [
        region.area_px * (rule.over_part if region.over_part else 1.0)
        for build in builds
        for layer in build
        for region in layer.regions or ()
        if region.class_name == rule.class_name and not region.background
    ]
    if not areas:
        # Nothing was seen, so nothing is known that would allow another threshold.
        return []
    # Regions of one place add up, so that the sum of the largest layer is above everything.
    most = max(
        sum(
            region.area_px * max(1.0, rule.over_part)
            for region in layer.regions or ()
            if region.class_name == rule.class_name
        )
        for build in builds
        for layer in build
    )
    distinct = np.unique(areas)
    if len(distinct) > _CANDIDATES:
        # Large areas are few and decide; so the steps are even in rank, the largest kept.
        picks = np.unique(np.linspace(0, len(distinct) - 1, _CANDIDATES).round().astype(int))
        distinct = distinct[picks]
    return [float(most + 1), *(float(area) + 1 for area in distinct[::-1]), 1.0]


def _alarms(build: Build, policy: Policy) -> int:
    return sum(
        alarm.kind == "defect" for decision in replay(build, policy) for alarm in decision.raised
    )
