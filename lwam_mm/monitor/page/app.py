"""The page's addresses: data for the browser, pictures, and what an operator may change."""

from __future__ import annotations

import asyncio
import dataclasses
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from lwam_mm.monitor.page.guard import COOKIE, Guard, cookie_of
from lwam_mm.monitor.record.classes import build_classes
from lwam_mm.monitor.record.queries import build_status, files_put_aside
from lwam_mm.monitor.record.store import Record, sha256_of
from lwam_mm.monitor.record.tables import Alarm, Arrival, Build, Layer, Region, Track
from lwam_mm.monitor.signal.acknowledge import acknowledge
from lwam_mm.monitor.signal.outbox import OutboxWriter
from lwam_mm.monitor.view import pictures
from lwam_mm.monitor.view.build_data import (
    alarm_rows,
    area_by_class,
    class_colours,
    layer_columns,
    region_points,
    steps_of,
)
from lwam_mm.monitor.view.charts import CHARTS, PLOTLY
from lwam_mm.monitor.view.colours import VERDICTS
from lwam_mm.version import __version__

STATIC = Path(__file__).parent / "static"
LONGEST_PX = 1600
_EVENT_S = 1.0  # how often the record is asked whether there is something new

Step = Literal["recoated", "exposed"]
_MOST = 2**63 - 1  # what a database compares a number with
Id = Annotated[int, InPath(ge=1, le=_MOST)]
Newer = Annotated[int, Query(ge=0, le=_MOST)]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]  # PostgreSQL keeps no NUL


def _reading(request: Request) -> Iterator[Session]:
    with request.app.state.record.reading() as session:
        yield session


Reading = Annotated[Session, Depends(_reading)]


def _known_build(session: Reading, build_id: Id) -> int:
    # Without any build there would be no alarms either, as if all were well.
    if session.get(Build, build_id) is None:
        raise HTTPException(404, f"there is no build with id {build_id}: see /api/builds")
    return build_id


KnownBuild = Annotated[int, Depends(_known_build)]


class AlarmChange(BaseModel):
    """What an operator says about an alarm; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    by: Annotated[Text, Field(min_length=1, max_length=100)]
    acknowledge: bool = False
    verdict: Literal["real", "false", "unsure"] | None = None
    note: Annotated[Text, Field(max_length=2000)] | None = None


class Token(BaseModel):
    """The token, as typed in."""

    token: str


def create_app(
    record: Record,
    outbox: OutboxWriter,
    trouble: Callable[[], str | None] = lambda: None,
    token: str | None = None,
) -> FastAPI:
    """Make the page.

    Args:
        record: The record that is shown.
        outbox: Tells the channels what was acknowledged.
        trouble: Returns why the monitor cannot work now, or None.
        token: What a browser has to give; None only for this machine's own addresses.
    """
    # FastAPI's own documentation pages load from elsewhere; /openapi.json is there.
    app = FastAPI(title="lwam monitor", version=__version__, docs_url=None, redoc_url=None)
    app.state.record = record
    app.state.stopping = False  # the server sets it, so that no stream keeps it waiting
    app.add_middleware(Guard, token=token)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.exception_handler(DBAPIError)
    async def _record_away(_: Request, error: Exception) -> JSONResponse:
        reason = error.orig if isinstance(error, DBAPIError) else error
        return JSONResponse({"detail": f"the record cannot be read: {reason}"}, 503)

    @app.exception_handler(RequestValidationError)
    async def _wrong(_: Request, error: Exception) -> Response:
        # Without the values: they may be a token, or be no text.
        found = error.errors() if isinstance(error, RequestValidationError) else []
        told = [{name: each[name] for name in ("loc", "msg", "type")} for each in found]
        return Response(json.dumps({"detail": told}), 422, media_type="application/json")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/login", include_in_schema=False)
    def login_form() -> FileResponse:
        return FileResponse(STATIC / "login.html", headers={"Cache-Control": "no-cache"})

    @app.post("/login")
    def login(given: Token) -> Response:
        """Check the token; the browser then has it as a cookie."""
        if token is None or not hmac.compare_digest(given.token.encode(), token.encode()):
            raise HTTPException(401, "this is not the token")
        response = JSONResponse({})
        response.set_cookie(COOKIE, cookie_of(token.encode()), httponly=True, samesite="strict")
        return response

    @app.get("/plotly.min.js", include_in_schema=False)
    def plotly_js() -> FileResponse:
        return FileResponse(PLOTLY, headers={"Cache-Control": "public, max-age=86400"})

    @app.get("/charts.js", include_in_schema=False)
    def charts_js() -> FileResponse:
        return FileResponse(CHARTS, headers={"Cache-Control": "no-cache"})

    @app.get("/api/builds")
    def builds(session: Reading) -> list[dict[str, Any]]:
        """Return all builds with their counts, the one that began last first."""
        ids = dict(session.execute(select(Build.name, Build.id)).all())
        found = [
            {"id": ids[status.build], "steps": steps_of(session, ids[status.build])}
            | dataclasses.asdict(status)
            for status in build_status(session)
        ]
        return found[::-1]

    @app.get("/api/builds/{build_id}/layers", response_class=JSONResponse)
    def layers(session: Reading, build_id: KnownBuild, step: Step, after: Newer = 0) -> Response:
        """Return a build's layers as columns; ``after`` an id only the newer ones."""
        return _json(dataclasses.asdict(layer_columns(session, build_id, step, after)))

    @app.get("/api/builds/{build_id}/areas", response_class=JSONResponse)
    def areas(session: Reading, build_id: KnownBuild, step: Step) -> Response:
        """Return the area of each class over the layers."""
        unit, by_class = area_by_class(session, build_id, step)
        colours = class_colours(session, build_id)
        return _json({"unit": unit, "classes": by_class, "colours": colours})

    @app.get("/api/builds/{build_id}/map", response_class=JSONResponse)
    def region_map(session: Reading, build_id: KnownBuild, step: Step) -> Response:
        """Return the places of all regions."""
        points = dataclasses.asdict(region_points(session, build_id, step))
        return _json(points | {"colours": class_colours(session, build_id)})

    @app.get("/api/builds/{build_id}/alarms")
    def alarms(session: Reading, build_id: KnownBuild) -> list[dict[str, Any]]:
        """Return a build's alarms, the newest first."""
        return alarm_rows(session, build_id)

    @app.get("/api/layers/{layer_id}")
    def layer(session: Reading, layer_id: Id) -> dict[str, Any]:
        """Return what is known about one layer."""
        row = _layer(session, layer_id)
        build = session.get_one(Build, row.build_id)
        regions = session.execute(
            select(Region, Track.number)
            .outerjoin(Track, Track.id == Region.track_id)
            .where(Region.layer_id == row.id)
            .order_by(Region.background, Region.area_px.desc())
            .limit(500)
        ).all()
        return {
            "id": row.id,
            "build": build.name,
            **{
                name: getattr(row, name)
                for name in (
                    *("number", "height_um", "step", "revision", "state", "verdict", "reason"),
                    *("late", "deadline_missed", "path", "image_width", "image_height"),
                    *("image_sha256", "model_sha256", "config_sha256", "total_ms", "health"),
                )
            },
            "recorded_at": row.recorded_at.isoformat(timespec="seconds"),
            "regions": [
                {
                    name: getattr(region, name)
                    for name in (
                        *("class_name", "area_px", "area_mm2", "x", "y", "width", "height"),
                        *("centre_x", "centre_y"),
                        *("plate_x_mm", "plate_y_mm", "mean_probability", "part_id", "background"),
                    )
                }
                | {"track": track}
                for region, track in regions
            ],
        }

    @app.get("/api/layers/{layer_id}/image.jpg", response_class=Response)
    def image(request: Request, layer_id: Id) -> Response:
        """Return the frame of a layer."""
        with record.reading() as session:  # closed before the picture is made
            row = _layer(session, layer_id)
        make = lambda: pictures.frame_jpeg(record, row, LONGEST_PX)  # noqa: E731
        return _picture(request, row.image_sha256, "image/jpeg", make)

    @app.get("/api/layers/{layer_id}/overlay.png", response_class=Response)
    def overlay(request: Request, layer_id: Id) -> Response:
        """Return the mask of a layer in colours, transparent where there is no defect."""
        with record.reading() as session:
            row = _layer(session, layer_id)
            classes = build_classes(session, row.build_id)
        make = lambda: pictures.mask_png(record, row, classes, LONGEST_PX)  # noqa: E731
        # Another model of the build may bring other colours.
        colours = sha256_of("\n".join(classes.names))
        version = f"{row.image_sha256}-{row.model_sha256}-{colours}"
        return _picture(request, version, "image/png", make)

    @app.post("/api/alarms/{alarm_id}")
    def change(alarm_id: Id, said: AlarmChange) -> dict[str, Any]:
        """Acknowledge an alarm, or keep what the operator says about it."""
        with record.writing() as session:
            alarm = session.get(Alarm, alarm_id)
            if alarm is None:
                raise HTTPException(404, f"there is no alarm {alarm_id}")
            if said.acknowledge:
                acknowledge(session, [alarm], said.by, outbox)
            if said.verdict is not None:
                alarm.operator_verdict = said.verdict
            if said.note is not None:
                alarm.note = said.note
            session.flush()
            (row,) = [row for row in alarm_rows(session, alarm.build_id) if row["id"] == alarm_id]
        said_here["times"] += 1
        return row

    said_here = {"times": 0}  # by operators, so that other pages show it too
    aside: dict[str, Any] = {"arrival": None}

    def put_aside(session: Session) -> dict[str, Any]:
        latest = session.scalar(select(func.max(Arrival.id)))
        if aside["arrival"] != latest:  # the list itself takes longer
            files = files_put_aside(session)
            reason = max(files, key=lambda file: file.at).reason if files else None
            aside.update(arrival=latest, put_aside=len(files), put_aside_reason=reason)
        return dict(aside)

    def state() -> dict[str, Any]:
        found: dict[str, Any] = {"trouble": trouble()}
        try:
            with record.reading() as session:
                latest = session.scalar(select(func.max(Layer.id)))
                row = None if latest is None else session.get_one(Layer, latest)
                found["layer_id"] = latest
                found["build_id"] = None if row is None else row.build_id
                found["recorded_at"] = None if row is None else row.recorded_at.isoformat()
                told = select(
                    func.count(Alarm.id),
                    func.count(Alarm.ended_layer),
                    func.count(Alarm.acknowledged_at),
                    func.max(Alarm.acknowledged_at),
                )
                told_now = (*session.execute(told).one(), said_here["times"])
                found["alarms"] = "/".join(map(str, told_now))
                found |= put_aside(session)
        except DBAPIError as error:
            found["trouble"] = found["trouble"] or f"the record cannot be read: {error.orig}"
        return found

    @app.get("/api/state")
    def current_state() -> dict[str, Any]:
        """Return trouble, the newest layer, files put aside, and whether alarms have changed."""
        return state()

    @app.get("/api/events", response_class=StreamingResponse)
    def events(request: Request) -> StreamingResponse:
        """Send the state whenever it changes (server-sent events)."""

        async def stream() -> AsyncIterator[str]:
            last = None
            quiet = 0
            while not (app.state.stopping or await request.is_disconnected()):
                now = await asyncio.to_thread(state)
                if now != last or quiet >= 15:
                    yield f"data: {json.dumps(now)}\n\n"
                    last, quiet = now, 0
                quiet += 1
                await asyncio.sleep(_EVENT_S)

        return StreamingResponse(
            stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    @app.get("/api/colours")
    def colours() -> dict[str, str]:
        """Return the colours of the verdicts."""
        return VERDICTS

    return app


def _json(value: dict[str, Any]) -> Response:
    # FastAPI would look at each of the tens of thousands of values once more.
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Response(text.encode(), media_type="application/json")


def _layer(session: Session, layer_id: int) -> Layer:
    row = session.get(Layer, layer_id)
    if row is None:
        raise HTTPException(404, f"there is no layer with id {layer_id}")
    return row


def _picture(
    request: Request, version: str | None, media_type: str, make: Callable[[], bytes]
) -> Response:
    tag = f'"{version}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if version is not None and request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    try:
        return Response(make(), media_type=media_type, headers=headers)
    except pictures.PictureGoneError as error:
        raise HTTPException(404, str(error)) from error
