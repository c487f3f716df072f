"""Reads a build from the record as the rules saw it, to decide it again."""

from collections.abc import Sequence
from dataclasses import fields
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from lwam_mm.monitor.decide import decision as decide
from lwam_mm.monitor.decide.calibrate import Calibration, calibrate
from lwam_mm.monitor.decide.decider import Decider
from lwam_mm.monitor.decide.policy import Policy
from lwam_mm.monitor.decide.replay import Difference, compare, replay
from lwam_mm.monitor.frame.health import FrameHealth
from lwam_mm.monitor.measure.region import Region as Measured
from lwam_mm.monitor.measure.tracks import Track as FollowedTrack
from lwam_mm.monitor.record.store import find_build
from lwam_mm.monitor.record.tables import Alarm, Build, Layer, Region, Track

_MEASURED = tuple(field.name for field in fields(Measured) if field.name != "track_id")


def recorded_layers(session: Session, build: str, step: str) -> list[decide.SeenLayer]:
    """Return a build's layers of one step, in the order of their recording.

    A missing layer is none: nothing was seen of it.

    Raises:
        RecordError: There is no such build.
    """
    rows = _layers(session, build, step)
    wanted = {row.id for row in rows if row.state == "inspected"}
    found: dict[int, list[Measured]] = {layer: [] for layer in wanted}
    regions = (
        select(Region)
        .join(Layer, Layer.id == Region.layer_id)
        .join(Build, Build.id == Layer.build_id)
        .where(Build.name == build, Layer.step == step)
        .order_by(Region.id)
    )
    for region in session.scalars(regions):
        if region.layer_id in wanted:
            values = {name: getattr(region, name) for name in _MEASURED}
            found[region.layer_id].append(Measured(**values))
    layers = []
    for row in rows:
        health = FrameHealth.from_json(row.health)
        regions_of = tuple(found[row.id]) if row.id in wanted else None
        # A frame that was not usable has its reason in its health.
        reason = row.reason if regions_of is None and health.usable else None
        layers.append(decide.SeenLayer(row.number, regions_of, health, reason, row.revision > 0))
    return layers


def take_up(session: Session, build: str, step: str, policy: Policy) -> Decider:
    """Return the rules as they are after a build's recorded layers.

    If the rules changed since, the next decision brings the record's open alarms in line with them.
    A track keeps the number of the recorded one with the same course; one that the record does not
    have gets a number of its own.

    Raises:
        RecordError: There is no such build.
    """
    layers = recorded_layers(session, build, step)
    of_step = (Build.name == build, Layer.step == step)
    tracks = select(Track).join(Build).where(Build.name == build, Track.step == step)
    rows = session.scalars(tracks.order_by(Track.number))
    known = {track.number: _course(track) for track in rows}
    decider = Decider(policy, layers)
    next_number, numbers = max(known, default=0) + 1, {}
    for track in decider.live_tracks:
        course = _course(track)
        same = (number for number, other in known.items() if other == course)
        number = track.id if known.get(track.id) == course else next(same, next_number)
        next_number = max(next_number, number + 1)
        known.pop(number, None)  # each is taken once
        numbers[track.id] = number
    decider.renumber(numbers, next_number)
    alarms = (
        select(Alarm, Track.number)
        .join(Layer, Layer.id == Alarm.layer_id)
        .join(Build, Build.id == Alarm.build_id)
        .outerjoin(Track, Track.id == Alarm.track_id)
        .where(*of_step, Alarm.ended_layer.is_(None), Alarm.kind != "missing")
    )
    decider.take_over(
        decide.Alarm(
            cast(decide.AlarmKind, alarm.kind),
            cast(decide.Severity, alarm.severity),
            alarm.message,
            0,
            alarm.class_name,
            track,
        )
        for alarm, track in session.execute(alarms)
    )
    return decider


def _course(track: Track | FollowedTrack) -> tuple[str, int, int, int, int]:
    """Return what two tracks of the same regions have in common."""
    return (
        track.class_name,
        track.first_layer,
        track.last_layer,
        track.layers,
        track.max_area_px,
    )


def recorded_decisions(session: Session, build: str, step: str) -> list[decide.Decision]:
    """Return the verdicts and alarms that the record holds, layer by layer as `recorded_layers`.

    Raises:
        RecordError: There is no such build.
    """
    rows = _layers(session, build, step)
    raised: dict[int, list[decide.Alarm]] = {row.id: [] for row in rows}
    numbers = {row.id: row.number for row in rows}
    alarms = select(Alarm).join(Build, Build.id == Alarm.build_id).where(Build.name == build)
    for alarm in session.scalars(alarms.order_by(Alarm.id)):
        # Alarms about missing layers are not the rules'.
        if alarm.layer_id in raised and alarm.kind != "missing":
            raised[alarm.layer_id].append(
                decide.Alarm(
                    cast(decide.AlarmKind, alarm.kind),
                    cast(decide.Severity, alarm.severity),
                    alarm.message,
                    numbers[alarm.layer_id],
                    alarm.class_name,
                    ended_layer=alarm.ended_layer,
                )
            )
    return [
        decide.Decision(
            row.number, cast(decide.Verdict, row.verdict), row.reason, raised=tuple(raised[row.id])
        )
        for row in rows
    ]


def replay_recorded(session: Session, build: str, step: str, policy: Policy) -> list[Difference]:
    """List what other rules would have decided differently.

    Raises:
        RecordError: There is no such build.
    """
    again = replay(recorded_layers(session, build, step), policy)
    return compare(recorded_decisions(session, build, step), again)


def calibrate_recorded(
    session: Session,
    builds: Sequence[str],
    step: str,
    policy: Policy,
    budget: float,
    layers_per_build: int | None = None,
) -> Calibration:
    """Find thresholds from recorded good builds; see `calibrate`.

    Raises:
        RecordError: There is no such build.
        SettingError: Nothing can be calibrated with this.
    """
    layers = [recorded_layers(session, build, step) for build in builds]
    return calibrate(layers, policy, budget, layers_per_build)


def _layers(session: Session, build: str, step: str) -> Sequence[Layer]:
    layers = (
        select(Layer)
        .where(
            Layer.build_id == find_build(session, build).id,
            Layer.step == step,
            Layer.state != "missing",
        )
        .order_by(Layer.id)
    )
    return session.scalars(layers).all()
