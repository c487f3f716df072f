"""A recorded build without any model: layers, regions and alarms as they are wanted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tiny_bundle import tiny_manifest

from lwam_mm.monitor.record.store import Record, add_document, build_named, now
from lwam_mm.monitor.record.tables import Alarm, Layer, Region, Track
from lwam_mm.monitor.watch.read_frame import read_frame

SIZE = 64
HEALTH = {"mean": 90.0, "contrast": 3.0, "sharpness": 0.02, "shift_x": 3.0, "shift_y": 4.0}


def record_layer(
    record: Record,
    number: int,
    *,
    build: str = "B1",
    step: str = "recoated",
    verdict: str = "ok",
    state: str = "inspected",
    images: Path | None = None,
    outbox=None,
    revision: int = 0,
    mm: bool = True,
) -> int:
    """Record a layer and return its id.

    A layer with ``minor`` or ``critical`` has a square of class Super, 8 px wide, and its alarm.
    With a folder ``images`` it has a frame there, and its mask in the record.
    """
    defect = verdict in ("minor", "critical")
    path = mask = digest = None
    if images is not None and state != "missing":
        image = np.full((SIZE, SIZE, 3), 90, np.uint8)
        cv2.putText(image, str(number), (2, 60), cv2.FONT_HERSHEY_PLAIN, 1, (120, 120, 120))
        labels = np.zeros((SIZE, SIZE), np.uint8)
        if defect:
            image[10:18, 20:28], labels[10:18, 20:28] = 220, 1
        path = images / f"{step}_{number:05d}.png"
        cv2.imwrite(str(path), image)
        digest = read_frame(path).sha256
        if state == "inspected":
            mask = record.save_mask(build, f"{number:06d}_{step}_{revision}", labels)
    with record.writing() as session:
        model = add_document(session, "model", tiny_manifest().to_json())
        config = add_document(session, "config", "# the config")
        row = build_named(session, build)
        layer = Layer(
            build_id=row.id,
            number=number,
            height_um=30.0 * number,
            step=step,
            revision=revision,
            state=state,
            verdict=verdict,
            reason=None if state == "inspected" else f"layer {number}: nobody knows",
            path=None if path is None else str(path),
            image_sha256=digest,
            image_width=SIZE if path else None,
            image_height=SIZE if path else None,
            model_sha256=None if state == "missing" else model,
            config_sha256=None if state == "missing" else config,
            mask_path=mask,
            recorded_at=now(),
            health={
                "mean": 90.0,
                "contrast": 3.0,
                "sharpness": 0.02,
                "shift_x": 3.0,
                "shift_y": 4.0,
            }
            if state == "inspected"
            else {},
        )
        session.add(layer)
        session.flush()
        alarms = []
        if defect:
            track = Track(
                build_id=row.id, step=step, number=1000 * revision + number, class_name="Super",
                first_layer=number, last_layer=number, layers=1, max_area_px=64,
            )  # fmt: skip
            session.add(track)
            session.flush()
            session.add(
                Region(
                    layer_id=layer.id, track_id=track.id, class_name="Super", area_px=64,
                    area_mm2=4.0 if mm else None, x=20, y=10, width=8, height=8,
                    centre_x=23.5, centre_y=13.5, plate_x_mm=5.9 if mm else None,
                    plate_y_mm=12.6 if mm else None, part_id=2,
                )
            )  # fmt: skip
            alarms = [
                Alarm(
                    build_id=row.id, layer_id=layer.id, kind="defect", severity=verdict,
                    class_name="Super", track_id=track.id,
                    message=f"Super <b>in</b> layer {number}", raised_at=now(),
                )
            ]  # fmt: skip
            session.add_all(alarms)
            session.flush()
        if outbox is not None:
            outbox.layer(session, layer, alarms)
        return layer.id
