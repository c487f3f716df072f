"""Decides recorded layers again, by other rules, and lists what would differ."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lwam_mm.monitor.decide.decider import Decider
from lwam_mm.monitor.decide.decision import Alarm, Decision, SeenLayer, Verdict
from lwam_mm.monitor.decide.policy import Policy


@dataclass(frozen=True)
class Difference:
    """A layer that two policies decide differently.

    Attributes:
        layer: Its number.
        before: The verdict of the first; None if it does not know the layer.
        after: The verdict of the second; None if it does not know the layer.
        fewer: Alarms that only the first raises with this layer.
        more: Alarms that only the second raises with this layer.
    """

    layer: int
    before: Verdict | None
    after: Verdict | None
    fewer: tuple[Alarm, ...]
    more: tuple[Alarm, ...]

    def __str__(self) -> str:
        lines = [f"layer {self.layer}: {self.before or 'no layer'} -> {self.after or 'no layer'}"]
        lines += [f"  no longer: {alarm.severity} {alarm.message}" for alarm in self.fewer]
        lines += [f"  new: {alarm.severity} {alarm.message}" for alarm in self.more]
        return "\n".join(lines)


def replay(layers: Iterable[SeenLayer], policy: Policy) -> list[Decision]:
    """Decide a build's layers, in the order of their recording."""
    decider = Decider(policy)
    return [decider.decide(layer) for layer in layers]


def compare(before: Sequence[Decision], after: Sequence[Decision]) -> list[Difference]:
    """List the layers that are decided differently.

    Alarms of a layer agree if kind, severity and class do: tracks are numbered anew. A layer that
    was recorded more than once is compared in the order of its records.

    Example:
        >>> once = Alarm("defect", "minor", "Super: 9 px", 4, "Super")
        >>> for difference in compare(
        ...     [Decision(3, "ok"), Decision(4, "ok")],
        ...     [Decision(3, "ok"), Decision(4, "minor", raised=(once,))],
        ... ):
        ...     print(difference)
        layer 4: ok -> minor
          new: minor Super: 9 px
    """
    first, second = _by_occurrence(before), _by_occurrence(after)
    found = []
    for key in [*first, *(key for key in second if key not in first)]:
        old, new = first.get(key), second.get(key)
        raised_before = old.raised if old else ()
        raised_after = new.raised if new else ()
        difference = Difference(
            key[0],
            old.verdict if old else None,
            new.verdict if new else None,
            _without(raised_before, raised_after),
            _without(raised_after, raised_before),
        )
        if difference.before != difference.after or difference.fewer or difference.more:
            found.append(difference)
    return found


def _by_occurrence(decisions: Sequence[Decision]) -> dict[tuple[int, int], Decision]:
    seen: Counter[int] = Counter()
    keyed = {}
    for decision in decisions:
        keyed[decision.layer, seen[decision.layer]] = decision
        seen[decision.layer] += 1
    return keyed


def _without(alarms: Sequence[Alarm], others: Sequence[Alarm]) -> tuple[Alarm, ...]:
    left = Counter((alarm.kind, alarm.severity, alarm.class_name) for alarm in others)
    kept = []
    for alarm in alarms:
        key = (alarm.kind, alarm.severity, alarm.class_name)
        if left[key]:
            left[key] -= 1
        else:
            kept.append(alarm)
    return tuple(kept)
