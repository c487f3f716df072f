"""Decides about the layers of a build, one after the other."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from lwam_mm.monitor.decide.camera import CameraAlarms
from lwam_mm.monitor.decide.decision import Alarm, Decision, SeenLayer, Severity, Verdict
from lwam_mm.monitor.decide.message import describe
from lwam_mm.monitor.decide.order import LayerOrder
from lwam_mm.monitor.decide.policy import Policy, Rule
from lwam_mm.monitor.measure.region import Region
from lwam_mm.monitor.measure.tracks import Track, Tracker

_Key: TypeAlias = tuple[str, str, str | None, int | None]
_WORST: tuple[Verdict, ...] = ("ok", "minor", "critical")


@dataclass
class _Watch:
    """One rule at one place: its last layers, and the alarm if one is open."""

    evidence: deque[bool]
    alarm: Alarm | None = None
    quiet: int = 0


@dataclass
class _LateAlarm:
    """The alarm of a late layer, which has no track; it ends after so many layers more."""

    alarm: Alarm
    layers_left: int


@dataclass
class _Changes:
    raised: list[Alarm] = field(default_factory=list)
    ended: list[Alarm] = field(default_factory=list)


class Decider:
    """Turns the layers of one build and step into verdicts and alarms.

    The result depends on the policy and on the layers it was given, in their order, and on nothing
    else: given the recorded layers again, it is where it was. Memory grows with what is followed
    now, not with the layers.

    Args:
        policy: The rules.
        recorded: Layers that were decided before, in the order of their recording.

    Example:
        >>> decider = Decider(Policy((Rule("Super", "critical", least_area_px=9),)))
        >>> clean = [SeenLayer(number, ()) for number in range(3)]
        >>> [decider.decide(layer).verdict for layer in clean]
        ['ok', 'ok', 'ok']
        >>> region = Region("Super", 12, x=5, y=5, width=4, height=3, centre_x=6.5, centre_y=6)
        >>> decision = decider.decide(SeenLayer(3, (region,)))
        >>> decision.verdict, decision.raised[0].message
        ('critical', 'Super: 12 px at (6, 6) px')
    """

    def __init__(self, policy: Policy, recorded: Iterable[SeenLayer] = ()) -> None:
        self._policy = policy
        self._tracker = Tracker(policy.reach_px, policy.memory)
        self._camera = CameraAlarms(policy.camera_layers, policy.camera_severity)
        self._watches: dict[tuple[int, Rule], _Watch] = {}
        self._late_alarms: list[_LateAlarm] = []
        self._order = LayerOrder()
        self._inspected = 0
        self._to_raise: list[Alarm] = []
        self._to_end: list[Alarm] = []
        self._is_taken_over = False
        for layer in recorded:
            self.decide(layer)

    @property
    def last(self) -> int | None:
        """The layer that is followed last (see `LayerOrder`); None before the first."""
        return self._order.last

    @property
    def open_alarms(self) -> tuple[Alarm, ...]:
        """The alarms that are open now."""
        defects = (watch.alarm for watch in self._watches.values() if watch.alarm is not None)
        late = (late.alarm for late in self._late_alarms)
        return (*defects, *late, *self._camera.open_alarms)

    @property
    def live_tracks(self) -> tuple[Track, ...]:
        """The tracks that are followed now."""
        return tuple(self._tracker.live.values())

    def take_over(self, recorded: Iterable[Alarm]) -> None:
        """Make the open alarms of the record those of the rules, with the next layer's decision.

        They differ if the rules changed since the last layer was recorded: what only the rules hold
        open is then raised, and what only the record does is ended.

        Args:
            recorded: The alarms about defects and the camera that the record holds open.
        """
        mine, theirs = self.open_alarms, tuple(recorded)
        self._to_raise, self._to_end = _surplus(mine, theirs), _surplus(theirs, mine)
        self._is_taken_over = True

    def renumber(self, numbers: Mapping[int, int], next_number: int) -> None:
        """Give each live track another number, and the next new one ``next_number``."""
        self._tracker.renumber(numbers, next_number)
        for watch in self._watches.values():
            if watch.alarm is not None:
                old = watch.alarm.track_id
                assert old is not None
                watch.alarm = replace(watch.alarm, track_id=numbers[old])
        self._watches = {
            (numbers[old], rule): watch for (old, rule), watch in self._watches.items()
        }

    def decide(self, layer: SeenLayer) -> Decision:
        """Decide about the next layer.

        A layer that comes late (see `LayerOrder`) gets a verdict, from itself alone, and alarms
        that need no other layer. They end after as many inspected layers as the rule's others do,
        for nobody follows their places. What is followed through the layers stays as it is.

        Returns:
            The decision.
        """
        if self._order.comes_late(layer.number, layer.again):
            return self._decide_late(layer)
        decision = self._decide_next(layer)
        if not self._is_taken_over:
            return decision
        self._is_taken_over = False
        # What ends before it was raised is neither.
        raised = _surplus(self._to_raise, decision.ended)
        ended = _surplus(decision.ended, self._to_raise)
        known = {track.id for track in decision.tracks}
        tracks = [
            replace(track, areas=track.areas.copy())
            for track in self.live_tracks
            if track.id not in known
        ]
        ended += [replace(alarm, ended_layer=layer.number) for alarm in self._to_end]
        self._to_raise, self._to_end = [], []
        return replace(
            decision,
            raised=(*decision.raised, *(replace(a, raised_layer=layer.number) for a in raised)),
            ended=tuple(ended),
            tracks=(*decision.tracks, *tracks),
        )

    def _decide_next(self, layer: SeenLayer) -> Decision:
        raised, ended = self._camera.update(layer.number, layer.health)
        if layer.regions is None or not layer.health.usable:
            return _not_inspected(layer, raised, ended)
        self._inspected += 1
        ended += self._end_late_alarms(layer.number)
        regions, over = self._tracker.update(layer.number, layer.regions)
        changes = _Changes(raised, ended)
        members: dict[int, list[Region]] = {}
        for region in regions:
            if region.track_id is not None:
                members.setdefault(region.track_id, []).append(region)
        worst = 0
        for track_id in [*self._tracker.live, *(track.id for track in over)]:
            found = members.get(track_id, [])
            for rule in self._policy.rules:
                severity = self._apply(rule, track_id, found, layer.number, changes)
                worst = max(worst, _WORST.index(severity))
        for track in over:
            for rule in self._policy.rules:
                self._watches.pop((track.id, rule), None)
        touched = [self._tracker.live[track_id] for track_id in members]
        return Decision(
            layer.number,
            _WORST[worst],
            regions=tuple(regions),
            raised=tuple(changes.raised),
            ended=tuple(changes.ended),
            tracks=tuple(replace(track, areas=track.areas.copy()) for track in [*touched, *over]),
        )

    def _apply(
        self, rule: Rule, track_id: int, regions: list[Region], layer: int, changes: _Changes
    ) -> Verdict:
        """Update one rule at one place; return what it makes of this layer."""
        counted = [
            region
            for region in regions
            if region.class_name == rule.class_name and not region.background
        ]
        key = (track_id, rule)
        watch = self._watches.get(key)
        if watch is None:
            if not counted:
                return "ok"
            watch = self._watches[key] = _Watch(deque(maxlen=rule.of))
        watch.evidence.append(_is_evidence(rule, counted))
        if watch.alarm is None:
            if not (watch.evidence[-1] and sum(watch.evidence) >= rule.layers):
                return "ok"
            if self._inspected <= self._policy.background_layers:
                return "minor"
            watch.alarm = _alarm(rule, counted, layer, track_id)
            watch.quiet = 0
            changes.raised.append(watch.alarm)
            return rule.severity
        if _is_evidence(rule, counted, rule.end_share):
            watch.quiet = 0
            return rule.severity
        watch.quiet += 1
        if watch.quiet >= rule.end_after:
            changes.ended.append(replace(watch.alarm, ended_layer=layer))
            watch.alarm = None
            # What ended an alarm cannot begin the next.
            watch.evidence.clear()
        return "ok"

    def _decide_late(self, layer: SeenLayer) -> Decision:
        if layer.regions is None or not layer.health.usable:
            return _not_inspected(layer, [], [])
        regions = [replace(region, track_id=None) for region in layer.regions]
        raised, worst = [], 0
        for region in regions:
            for rule in self._policy.rules:
                if region.background or region.class_name != rule.class_name:
                    continue
                if not _is_evidence(rule, [region]):
                    continue
                # A rule over several layers is not met, but not refuted either.
                severity: Severity = rule.severity if rule.layers == 1 else "minor"
                worst = max(worst, _WORST.index(severity))
                if rule.layers == 1:
                    raised.append(_alarm(rule, [region], layer.number, None))
                    self._late_alarms.append(_LateAlarm(raised[-1], rule.end_after))
        return Decision(layer.number, _WORST[worst], regions=tuple(regions), raised=tuple(raised))

    def _end_late_alarms(self, layer: int) -> list[Alarm]:
        for late in self._late_alarms:
            late.layers_left -= 1
        over = [late.alarm for late in self._late_alarms if late.layers_left <= 0]
        self._late_alarms = [late for late in self._late_alarms if late.layers_left > 0]
        return [replace(alarm, ended_layer=layer) for alarm in over]


def _key(alarm: Alarm) -> _Key:
    return alarm.kind, alarm.severity, alarm.class_name, alarm.track_id


def _surplus(alarms: Iterable[Alarm], others: Iterable[Alarm]) -> list[Alarm]:
    """Return what is left of the alarms when each of the others takes one with its key away."""
    taken = Counter(_key(alarm) for alarm in others)
    left = []
    for alarm in alarms:
        taken[_key(alarm)] -= 1
        if taken[_key(alarm)] < 0:
            left.append(alarm)
    return left


def _is_evidence(rule: Rule, regions: Sequence[Region], share: float = 1.0) -> bool:
    probable = [
        region
        for region in regions
        if region.mean_probability is None or region.mean_probability >= rule.least_probability
    ]
    if not probable:
        return False
    weights = [rule.over_part if region.over_part else 1.0 for region in probable]
    px = sum(weight * region.area_px for weight, region in zip(weights, probable, strict=True))
    if px < share * rule.least_area_px:
        return False
    areas = [region.area_mm2 for region in probable]
    if rule.least_area_mm2 is None or None in areas:
        return True
    mm2 = sum(weight * (area or 0) for weight, area in zip(weights, areas, strict=True))
    return mm2 >= share * rule.least_area_mm2


def _alarm(rule: Rule, regions: Sequence[Region], layer: int, track_id: int | None) -> Alarm:
    largest = max(regions, key=lambda region: region.area_px)
    message = describe(regions)
    if largest.over_part:
        message += f" on part {largest.part_id}"
    if rule.of > 1:
        message += f", in {rule.layers} of the last {rule.of} layers"
    return Alarm("defect", rule.severity, message, layer, rule.class_name, track_id)


def _not_inspected(layer: SeenLayer, raised: list[Alarm], ended: list[Alarm]) -> Decision:
    reason = layer.health.reason or layer.reason or "the reason is not recorded"
    return Decision(layer.number, "not_inspected", reason, raised=tuple(raised), ended=tuple(ended))
