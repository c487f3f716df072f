"""The tables of the record. Changes need a migration; a test compares the two."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DOCUMENT_KINDS = ("config", "model", "roi")
STEPS = ("recoated", "exposed")
STATES = ("inspected", "not_inspected", "missing")
VERDICTS = ("ok", "minor", "critical", "not_inspected")
OUTCOMES = ("taken", "duplicate", "revised", "unreadable", "unnamed", "replaced")
ALARM_KINDS = ("defect", "camera", "missing")
SEVERITIES = ("minor", "critical")
OPERATOR_VERDICTS = ("real", "false", "unsure")
CHANNELS = ("webhook", "mqtt", "modbus")


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC. SQLite keeps no time zone, so one is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a time zone: nobody could say when it was."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: give a time in UTC")
        return value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time with UTC as its time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=timezone.utc)
        return value.astimezone(timezone.utc)


class Base(DeclarativeBase):
    """Base of the tables."""

    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012


def _one_of(column: str, values: tuple[str, ...], table: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"ck_{table}_{column}")


class Build(Base):
    """One build job."""

    __tablename__ = "build"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class Document(Base):
    """A text that hashes in other rows refer to."""

    __tablename__ = "document"
    __table_args__ = (_one_of("kind", DOCUMENT_KINDS, "document"),)

    sha256: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    text: Mapped[str]
    created_at: Mapped[datetime]


class Layer(Base):
    """One image of one layer, or a layer that is missing: then nothing is known of an image.

    A verdict of "not_inspected" says nothing about the layer, above all not that it is good.
    """

    __tablename__ = "layer"
    __table_args__ = (
        UniqueConstraint("build_id", "number", "step", "revision", name="uq_layer"),
        _one_of("step", STEPS, "layer"),
        _one_of("state", STATES, "layer"),
        _one_of("verdict", VERDICTS, "layer"),
        CheckConstraint(
            "(state = 'inspected') = (verdict <> 'not_inspected')", name="ck_layer_state_verdict"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    build_id: Mapped[int] = mapped_column(ForeignKey("build.id"))
    number: Mapped[int]
    height_um: Mapped[float | None]
    step: Mapped[str]
    revision: Mapped[int] = mapped_column(default=0)
    state: Mapped[str]
    verdict: Mapped[str]
    reason: Mapped[str | None]
    late: Mapped[bool] = mapped_column(default=False)
    deadline_missed: Mapped[bool] = mapped_column(default=False)
    path: Mapped[str | None]
    image_sha256: Mapped[str | None]
    image_width: Mapped[int | None]
    image_height: Mapped[int | None]
    model_sha256: Mapped[str | None]
    config_sha256: Mapped[str | None]
    mask_path: Mapped[str | None]
    file_time: Mapped[datetime | None]
    complete_at: Mapped[datetime | None]
    recorded_at: Mapped[datetime]
    inference_ms: Mapped[float | None]
    total_ms: Mapped[float | None]
    health: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Arrival(Base):
    """A file that was considered, and what became of it."""

    __tablename__ = "arrival"
    __table_args__ = (
        _one_of("outcome", OUTCOMES, "arrival"),
        Index("ix_arrival_path", "path"),
        Index("ix_arrival_build_id", "build_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    build_id: Mapped[int | None] = mapped_column(ForeignKey("build.id"))
    path: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    outcome: Mapped[str]
    reason: Mapped[str | None]
    layer_id: Mapped[int | None] = mapped_column(ForeignKey("layer.id"))
    at: Mapped[datetime]


class Track(Base):
    """The same defect through the layers. ``number`` counts within the build's step."""

    __tablename__ = "track"
    __table_args__ = (
        UniqueConstraint("build_id", "step", "number", name="uq_track"),
        _one_of("step", STEPS, "track"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    build_id: Mapped[int] = mapped_column(ForeignKey("build.id"))
    step: Mapped[str]
    number: Mapped[int]
    class_name: Mapped[str]
    first_layer: Mapped[int]
    last_layer: Mapped[int]
    ended: Mapped[bool] = mapped_column(default=False)
    layers: Mapped[int]
    max_area_px: Mapped[int]
    background: Mapped[bool] = mapped_column(default=False)


class Region(Base):
    """One region of one class in one layer; lengths in px unless the name says mm."""

    __tablename__ = "region"
    __table_args__ = (
        Index("ix_region_layer_id", "layer_id"),
        Index("ix_region_track_id", "track_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    layer_id: Mapped[int] = mapped_column(ForeignKey("layer.id"))
    track_id: Mapped[int | None] = mapped_column(ForeignKey("track.id"))
    class_name: Mapped[str]
    area_px: Mapped[int]
    area_mm2: Mapped[float | None]
    x: Mapped[int]
    y: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    centre_x: Mapped[float]
    centre_y: Mapped[float]
    plate_x_mm: Mapped[float | None]
    plate_y_mm: Mapped[float | None]
    mean_probability: Mapped[float | None]
    part_id: Mapped[int | None]
    part_distance_mm: Mapped[float | None]
    background: Mapped[bool] = mapped_column(default=False)


class Alarm(Base):
    """An alarm, and what the operator says about it."""

    __tablename__ = "alarm"
    __table_args__ = (
        _one_of("kind", ALARM_KINDS, "alarm"),
        _one_of("severity", SEVERITIES, "alarm"),
        _one_of("operator_verdict", OPERATOR_VERDICTS, "alarm"),
        Index("ix_alarm_build_id", "build_id"),
        Index("ix_alarm_layer_id", "layer_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    build_id: Mapped[int] = mapped_column(ForeignKey("build.id"))
    layer_id: Mapped[int] = mapped_column(ForeignKey("layer.id"))
    kind: Mapped[str]
    severity: Mapped[str]
    class_name: Mapped[str | None]
    track_id: Mapped[int | None] = mapped_column(ForeignKey("track.id"))
    message: Mapped[str]
    raised_at: Mapped[datetime]
    ended_layer: Mapped[int | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    operator_verdict: Mapped[str | None]
    note: Mapped[str | None]


class Outbox(Base):
    """A message to send; written with its layer, so that none is forgotten.

    It waits until it was sent, or until its receiver has refused it.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        _one_of("channel", CHANNELS, "outbox"),
        Index("ix_outbox_due", "channel", "sent_at", "failed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str]
    event: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
