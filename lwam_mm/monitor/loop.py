"""Takes layer after layer: judge, infer, measure, decide, record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from lwam_mm.monitor.config.config import MonitorConfig, check_files, make_source
from lwam_mm.monitor.frame.health import FrameHealth
from lwam_mm.monitor.inspector import PARTS_MASK, Inspection, Inspector
from lwam_mm.monitor.record.queries import PUT_ASIDE
from lwam_mm.monitor.record.store import Record, add_document, build_named, now
from lwam_mm.monitor.record.tables import Alarm, Arrival, Build, Layer
from lwam_mm.monitor.record.write_decision import end_missing_alarm, write_decision
from lwam_mm.monitor.watch.accounting import FarLayers, GapError, Place, place
from lwam_mm.monitor.watch.folder import FoundFile
from lwam_mm.monitor.watch.names import LayerName, LayerNameError
from lwam_mm.monitor.watch.peregrine import PeregrineError
from lwam_mm.monitor.watch.read_frame import Frame
from lwam_mm.runtime import ImageError, Predictor
from lwam_mm.utils.errors import UserError


class Listener(Protocol):
    """Hears what the monitor sees."""

    def layer(self, session: Session, layer: Layer, raised: Sequence[Alarm]) -> None:
        """A layer is being recorded, with the alarms that it raised; within its transaction."""

    def trouble(self, trouble: str | None) -> None:
        """A trouble began, see `Monitor.trouble`, or with None ended."""

    def alive(self, next_within_s: float) -> None:
        """The loop works, and will say so again within so many seconds."""


class Monitor:
    """Watches a folder and records what its layers show.

    All that it knows is in the record: it may be killed at any moment, and goes on from there.

    Args:
        config: The config.
        text: The config's text, for the record.
        predictor: The bundle.
        record: The record.
        listener: Hears of every layer and of trouble.
        say: Gets a line for each layer, each file put aside, and each trouble that begins or ends.

    Attributes:
        trouble: Why nothing can be recorded now, or the folder not be read; None if all is well.

    Raises:
        ConfigError: A file that the config names cannot be used.
        SettingError: A rule is of a class that the model does not have.
    """

    def __init__(
        self,
        config: MonitorConfig,
        text: str,
        predictor: Predictor,
        record: Record,
        listener: Listener | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        check_files(config)
        config.policy.check_classes(predictor.classes)
        self.trouble: str | None = None
        self._config, self._text, self._predictor = config, text, predictor
        self._record, self._listener, self._say = record, listener, say
        self._stop = threading.Event()
        self._inspectors: dict[tuple[str, str], Inspector] = {}
        self._tries: dict[tuple[str, int, int], int] = {}
        self._far: FarLayers[tuple[LayerName, FoundFile]] = FarLayers(config.watch.max_gap)
        with record.reading() as session:
            latest = select(func.max(Arrival.id)).group_by(Arrival.path)
            done = {
                arrival.path: (arrival.size, arrival.mtime_ns)
                for arrival in session.scalars(select(Arrival).where(Arrival.id.in_(latest)))
                # What was put aside is looked at again: the config may be another by now.
                if arrival.outcome not in PUT_ASIDE
            }
        white_level = predictor.bundle.manifest.input.white_level
        self._source = make_source(config, white_level, done)

    def run(self, once: bool = False, stop: threading.Event | None = None) -> None:
        """Watch until ``stop`` is set or, with ``once``, until all files are done with."""
        self._stop = stop = stop or threading.Event()
        while not stop.is_set():
            before = self.trouble
            self._say_alive()
            self.poll()
            if self.trouble != before:
                self._say(self.trouble or "all is well again")
                if self._listener is not None:
                    self._listener.trouble(self.trouble)
            if once and not self._source.is_waiting():
                return
            stop.wait(self._config.watch.poll_s)  # by the monotonic clock

    def poll(self) -> None:
        """Look at the folder once, and take what is complete, in the order of the layers."""
        found = self._source.poll()
        complete, started = now(), time.monotonic()
        self.trouble = self._source.away
        named: list[tuple[LayerName, FoundFile]] = []
        try:
            for file in sorted(found, key=lambda file: file.name):
                try:
                    named.append((self._source.layer_name(file), file))
                except LayerNameError as error:
                    self._put_aside(file, "unnamed", str(error))
            for name, file in sorted(named, key=lambda pair: (pair[0], pair[1].name)):
                if self._stop.is_set():  # the rest is found again after the next start
                    return
                self._say_alive()
                self._take(name, file, complete, time.monotonic() if file.backlog else started)
        except PeregrineError as error:  # the file broke between two looks at it
            self.trouble = f"the layers wait: {error}"
        except (DBAPIError, OSError) as error:
            # What is not recorded is found again by the next poll. What is known of the builds may
            # be ahead of the record, so it is read from there again.
            self._inspectors.clear()
            reason = error.orig if isinstance(error, DBAPIError) else error
            self.trouble = f"the record cannot be written, the layers wait: {reason}"

    def _say_alive(self) -> None:
        if self._listener is not None:
            self._listener.alive(self._config.watch.poll_s + (self._config.model.deadline_s or 0))

    def _take(
        self,
        name: LayerName,
        file: FoundFile,
        complete: datetime,
        started: float,
        is_course: bool = False,
    ) -> None:
        try:
            frame = self._source.read(file)
        except ImageError as error:
            key = (file.name, file.size, file.mtime_ns)
            self._tries[key] = self._tries.get(key, 0) + 1
            if self._tries[key] >= self._config.watch.decode_tries:
                del self._tries[key]
                self._put_aside(file, "unreadable", str(error), name.build)
            return
        self._tries.pop((file.name, file.size, file.mtime_ns), None)
        try:
            line = self._record_layer(name, file, frame, complete, started, is_course)
        except GapError as error:
            self._put_aside(file, "unnamed", f"{file.name}: {error}", name.build)
            for far_name, far in self._far.add((name.build, name.step), name.number, (name, file)):
                self._take(far_name, far, complete, started, is_course=True)
            return
        self._far.end((name.build, name.step))
        self._source.done(file)
        self._say(line)

    def _record_layer(
        self,
        name: LayerName,
        file: FoundFile,
        frame: Frame,
        complete: datetime,
        started: float,
        is_course: bool,
    ) -> str:
        """Record what an image shows, all or nothing, and return a line about it."""
        with self._record.writing() as session:
            build = build_named(session, name.build)
            arrival = _arrival(file, "taken", build_id=build.id, sha256=frame.sha256)
            session.add(arrival)
            inspector = self._inspector(session, build, name.step)
            most = self._config.watch.max_gap
            where = place(session, build, name, frame.sha256, inspector.last, most, is_course)
            if where.duplicate_of is not None:
                arrival.outcome, arrival.layer_id = "duplicate", where.duplicate_of.id
                line = f"{file.name} holds the image of layer {name.number} once more"
            else:
                layer = self._inspect(session, inspector, build, name, file, frame, where, started)
                layer.complete_at = complete
                line = f"{name.build} layer {name.number} {name.step}: {layer.verdict}"
                line += f" ({layer.reason})" if layer.reason else ""
                arrival.outcome = "revised" if where.revision else "taken"
                arrival.layer_id = layer.id
        return line

    def _inspector(self, session: Session, build: Build, step: str) -> Inspector:
        key = (build.name, step)
        if key not in self._inspectors:
            self._inspectors[key] = Inspector(
                self._config, self._predictor, session, build, step, self._source.parts
            )
        return self._inspectors[key]

    def _inspect(
        self,
        session: Session,
        inspector: Inspector,
        build: Build,
        name: LayerName,
        file: FoundFile,
        frame: Frame,
        where: Place,
        started: float,
    ) -> Layer:
        reason = None
        begun = time.monotonic()
        try:
            inspection = inspector.look(file.name, frame.pixels)
        except UserError as error:  # a wrong size, an engine that fails: never the monitor's end
            inspection, reason = Inspection(FrameHealth(True)), str(error)
        ended = time.monotonic()
        if where.same_as is not None:
            reason = (
                f"the image is the same as that of layer {where.same_as.number} "
                f"({where.same_as.step}): look whether the camera stands still"
            )
        deadline = self._config.model.deadline_s
        missed = deadline is not None and ended - started > deadline
        if missed:
            reason = f"the answer took {ended - started:.1f} s, longer than {deadline:g} s"
        decision = inspector.decide(name.number, inspection, reason, where.revision > 0)
        if where.fills is not None:
            session.delete(where.fills)
            session.flush()
        for number in where.new_missing:
            session.add(
                Layer(
                    build_id=build.id,
                    number=number,
                    step=name.step,
                    revision=0,
                    state="missing",
                    verdict="not_inspected",
                    reason="there is no image of it",
                    recorded_at=now(),
                    health={},
                )
            )
        session.flush()
        mask = None
        if inspection.labels is not None:
            file_name = f"{name.number:06d}_{name.step}_{where.revision}"
            mask = self._record.save_mask(name.build, file_name, inspection.labels)
        if inspector.part_memory is not None:
            file_name = PARTS_MASK.format(name.step)
            self._record.save_mask(name.build, file_name, inspector.part_memory)
        layer = Layer(
            build_id=build.id,
            number=name.number,
            height_um=name.height_um,
            step=name.step,
            revision=where.revision,
            state="not_inspected" if decision.verdict == "not_inspected" else "inspected",
            verdict=decision.verdict,
            reason=decision.reason,
            late=where.revision == 0 and name.number != inspector.last,
            deadline_missed=missed,
            path=str(self._source.root / file.name),
            image_sha256=frame.sha256,
            image_width=frame.pixels.shape[1],
            image_height=frame.pixels.shape[0],
            model_sha256=add_document(session, "model", self._predictor.bundle.manifest.to_json()),
            config_sha256=add_document(session, "config", self._text),
            mask_path=mask,
            file_time=_file_time(file),
            recorded_at=now(),
            inference_ms=1000 * (ended - begun),
            total_ms=1000 * (time.monotonic() - started),
            health=inspection.health.to_json(),
        )
        session.add(layer)
        session.flush()
        alarms = write_decision(session, layer, decision, where.missing)
        if where.fills is not None:
            end_missing_alarm(session, layer)
        if self._listener is not None:
            self._listener.layer(session, layer, alarms)
        return layer

    def _put_aside(
        self, file: FoundFile, outcome: str, reason: str, build: str | None = None
    ) -> None:
        with self._record.writing() as session:
            # A build begins with its first layer, not with such a file.
            build_id = session.scalar(select(Build.id).where(Build.name == build))
            latest = select(Arrival).where(Arrival.path == file.name).order_by(Arrival.id.desc())
            before = session.scalars(latest.limit(1)).first()
            arrival = _arrival(file, outcome, reason=reason, build_id=build_id)
            if before is None or _facts(before) != _facts(arrival):  # else known from before
                session.add(arrival)
        self._source.done(file)
        self._say(f"put aside: {reason}")


def _arrival(file: FoundFile, outcome: str, **values: str | int | None) -> Arrival:
    return Arrival(
        path=file.name,
        size=file.size,
        mtime_ns=file.mtime_ns,
        outcome=outcome,
        at=now(),
        **values,
    )


def _facts(arrival: Arrival) -> tuple[int, int, str, str | None]:
    return arrival.size, arrival.mtime_ns, arrival.outcome, arrival.reason


def _file_time(file: FoundFile) -> datetime | None:
    try:
        return datetime.fromtimestamp(file.mtime_ns / 1e9, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None  # a broken clock's; nothing depends on it
