"""The monitor on real files: everything is accounted for, whatever happens."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np
import psycopg
import pytest
from drawn_layers import CONFIG, draw_layer, write_layer
from sqlalchemy import event, select, text
from sqlalchemy.engine import make_url
from tiny_bundle import tiny_manifest, write_tiny_bundle

from lwam_mm.monitor.record.queries import build_status, files_put_aside
from lwam_mm.monitor.record.tables import Alarm, Arrival, Layer, Region, Track
from lwam_mm.monitor.report.report import report_html
from lwam_mm.monitor.signal.messages import alarm_message
from lwam_mm.monitor.signal.outbox import OutboxWriter
from lwam_mm.monitor.view.pictures import frame_of
from lwam_mm.runtime import InputSpec


def rows(monitor, table):
    with monitor.record.reading() as session:
        return session.scalars(select(table).order_by(table.id)).all()


def verdicts(monitor):
    return {layer.number: layer.verdict for layer in rows(monitor, Layer)}


def test_a_build_with_a_defect(place, new_monitor, database_url):
    for number in range(1, 9):
        write_layer(place / "watched" / f"B_{number}.png", number, defect=number in (5, 6))
    monitor = new_monitor(database_url)
    monitor.run(once=True)
    assert verdicts(monitor) == {
        **dict.fromkeys(range(1, 9), "ok"),
        **dict.fromkeys((5, 6), "critical"),
    }
    (alarm,) = rows(monitor, Alarm)
    assert (alarm.kind, alarm.severity, alarm.class_name) == ("defect", "critical", "Incomplete")
    assert [region.area_px for region in rows(monitor, Region)] == [36, 36]
    assert all((place / "record" / row.mask_path).is_file() for row in rows(monitor, Layer))
    with monitor.record.reading() as session:
        (status,) = build_status(session)
    assert (status.seen, status.missing, status.open_critical_alarms) == (8, 0, 1)


def test_missing_late_duplicate_and_revised_layers(place, new_monitor):
    watched = place / "watched"
    for number in (1, 2, 5):
        write_layer(watched / f"B_{number}.png", number)
    monitor = new_monitor()
    monitor.run(once=True)
    assert verdicts(monitor)[3] == verdicts(monitor)[4] == "not_inspected"
    write_layer(watched / "B_3.png", 3)  # late
    write_layer(watched / "B_2_again.png", 2)  # the same content
    write_layer(watched / "B_1.png", 11)  # other content under the same name
    monitor.run(once=True)
    with monitor.record.reading() as session:
        (status,) = build_status(session)
    assert (status.seen, status.missing, status.late) == (4, 1, 1)
    assert (status.duplicate, status.revised) == (1, 1)
    found = {(layer.number, layer.revision): layer for layer in rows(monitor, Layer)}
    assert sorted(found) == [(1, 0), (1, 1), (2, 0), (3, 0), (4, 0), (5, 0)]
    assert found[3, 0].late
    assert not found[1, 1].late


def test_the_alarm_about_a_gap_ends_when_the_last_of_its_layers_has_come(place, new_monitor):
    watched = place / "watched"
    for number in (1, 2, 5, 7):
        write_layer(watched / f"B_{number}.png", number)
    monitor = new_monitor()
    monitor.run(once=True)
    ends = []
    for number in (4, 3, 6):
        write_layer(watched / f"B_{number}.png", number)
        monitor.run(once=True)
        ends.append([alarm.ended_layer for alarm in rows(monitor, Alarm)])
    assert ends == [[None, None], [3, None], [3, 6]]


def status(monitor):
    with monitor.record.reading() as session:
        (found,) = build_status(session)
    return found


@pytest.mark.parametrize(("at", "wrong"), [(4, (900,)), (0, (900,)), (4, (900, 901))])
def test_a_wrong_number_does_not_hide_what_comes_after_it(place, new_monitor, at, wrong):
    """Each layer comes alone, with a restart after every one of them or after none."""
    text = rules(CONFIG, least_area_px=20, layers=2, of=3)
    numbers = [*range(1, 13)]
    numbers[at:at] = wrong
    alarms = []
    for folder, restarts in (("one", False), ("many", True)):
        section = f'[record]\nfolder = "{folder}"\n[policy]'
        monitor = new_monitor(text=text.replace("[policy]", section))
        for path in (place / "watched").iterdir():
            path.unlink()
        for index, number in enumerate(numbers):
            write_layer(place / "watched" / f"B_{number}.png", index, defect=index >= 9)
            monitor = new_monitor() if restarts else monitor
            monitor.run(once=True)
        alarms.append([(a.severity, a.ended_layer) for a in rows(monitor, Alarm)])
    assert alarms[0] == alarms[1]
    assert ("critical", None) in alarms[0]
    assert status(monitor).open_critical_alarms == 1


def test_after_a_wrong_number_layers_are_not_late_and_gaps_are_said(place, new_monitor):
    """Each layer comes alone."""
    monitor = new_monitor()
    for index, number in enumerate((1, 2, 3, 900, 4, 5, 6, 7, 8, 11, 12, 10)):
        write_layer(place / "watched" / f"B_{number}.png", index)
        monitor = new_monitor()
        monitor.run(once=True)
    late = [layer.number for layer in rows(monitor, Layer) if layer.late]
    assert late == [4, 5, 10]  # until three went on below the wrong number
    alarms = [(alarm.message, alarm.ended_layer) for alarm in rows(monitor, Alarm)]
    assert alarms == [
        ("layers 4 to 899: there is no image", None),
        ("layers 9 to 10: there is no image", None),
    ]
    write_layer(place / "watched" / "B_9.png", 99)
    monitor.run(once=True)
    assert [alarm.ended_layer for alarm in rows(monitor, Alarm)] == [None, 9]
    numbers = [layer.number for layer in rows(monitor, Layer)]
    assert len(numbers) == len(set(numbers)) == 900


@pytest.mark.parametrize("restarts", [False, True])
def test_layers_far_above_are_taken_when_three_go_on_there(place, new_monitor, restarts):
    monitor = new_monitor()
    taken = []
    for index, number in enumerate((1, 9_000_000, 2, 7_000_000, 7_000_001, 7_000_002, 7_000_004)):
        write_layer(place / "watched" / f"B_{number}.png", index)
        monitor = new_monitor() if restarts else monitor
        monitor.run(once=True)
        taken.append(status(monitor).seen)
    assert taken == [1, 1, 2, 2, 2, 5, 6]
    assert [(layer.number, layer.state) for layer in rows(monitor, Layer)] == [
        (1, "inspected"),
        (2, "inspected"),
        (7_000_000, "inspected"),
        (7_000_001, "inspected"),
        (7_000_002, "inspected"),
        (7_000_003, "missing"),
        (7_000_004, "inspected"),
    ]
    assert not any(layer.late for layer in rows(monitor, Layer))
    assert [alarm.message for alarm in rows(monitor, Alarm)] == [
        "layers 3 to 6999999: there is no image",
        "layer 7000003: there is no image",
    ]
    with monitor.record.reading() as session:
        assert [file.path for file in files_put_aside(session)] == ["B_9000000.png"]


def test_a_second_print_into_the_same_names_is_watched(place, new_monitor):
    text = rules(CONFIG, least_area_px=20, layers=2, of=3)
    run_layers(place, new_monitor, text, range(1, 9), range(6, 9))
    for number in range(1, 9):
        write_layer(place / "watched" / f"B_{number}.png", 50 + number, defect=number == 8)
        monitor = new_monitor()
        monitor.run(once=True)
    (alarm,) = rows(monitor, Alarm)
    assert alarm.ended_layer == 5  # that of the first print, after three layers without
    write_layer(place / "watched" / "B_9.png", 59, defect=True)
    monitor.run(once=True)
    assert [alarm.ended_layer for alarm in rows(monitor, Alarm)] == [5, None]


def test_the_alarm_of_a_late_layer_is_open_until_layers_have_followed(place, new_monitor):
    heard = []

    class Listening(OutboxWriter):
        def alive(self, next_within_s):
            pass

        def layer(self, session, layer, raised):
            heard.extend(alarm_message(session, alarm) for alarm in raised)

    monitor = run_layers(place, new_monitor, CONFIG, (1, 2, 3, 5), ())
    monitor = new_monitor(listener=Listening({}))
    write_layer(place / "watched" / "B_4.png", 4, defect=True)
    write_layer(place / "watched" / "B_3.png", 33, defect=True)  # and one that is revised
    monitor.run(once=True)
    assert status(monitor).open_critical_alarms == 2
    assert [message["stop_requested"] for message in heard if message["layer"] < 5] == [True, True]
    monitor = run_layers(place, new_monitor, CONFIG, (6, 7), ())
    assert status(monitor).open_critical_alarms == 2
    monitor = run_layers(place, new_monitor, CONFIG, (8,), ())
    assert status(monitor).open_critical_alarms == 0
    assert {a.ended_layer for a in rows(monitor, Alarm) if a.kind == "defect"} == {8}


def test_what_is_no_layer_is_put_aside_with_the_reason(place, new_monitor):
    watched = place / "watched"
    write_layer(watched / "B_1.png", 1)
    whole = (watched / "B_1.png").read_bytes()
    (watched / "B_2.png").write_bytes(whole[:-200])
    (watched / "B_3.png").write_bytes(b"")
    (watched / "notes.txt").write_text("seen")
    os.mkfifo(watched / "B_9.png")  # no file: it would never be read to its end
    write_layer(watched / "B_2000000000.png", 4)
    monitor = new_monitor()
    monitor.run(once=True)
    found = {row.path: (row.outcome, row.reason) for row in rows(monitor, Arrival)}
    assert {name: outcome for name, (outcome, _) in found.items()} == {
        "B_1.png": "taken",
        "B_2.png": "unreadable",
        "B_3.png": "unreadable",
        "notes.txt": "unnamed",
        "B_2000000000.png": "unnamed",
    }
    assert "B_2.png" in found["B_2.png"][1]
    assert "watch.max_gap" in found["B_2000000000.png"][1]
    (watched / "B_2.png").write_bytes(whole)  # the rest has come
    monitor.run(once=True)
    assert verdicts(monitor) == {1: "ok", 2: "not_inspected"}  # the image of layer 1 once more
    assert "the same as that of layer 1" in rows(monitor, Layer)[-1].reason


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes are there on POSIX alone")
def test_names_that_are_no_utf_8_are_shown_and_have_parts(place, new_monitor):
    watched, parts = place / "watched", place / "parts"
    parts.mkdir()
    for number in range(1, 7):
        name = os.fsdecode(b"B_%d_\xff.png" % number)
        for folder, image in (
            (watched, draw_layer(number, defect=number > 3)),
            (parts, np.full((64, 64), 255, np.uint8)),
        ):
            (folder / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())
        monitor = new_monitor(text=CONFIG + '[measure]\nparts = "parts"\n')
        monitor.run(once=True)
    assert [region.part_id for region in rows(monitor, Region)] == [1, 1, 1]
    layers = rows(monitor, Layer)
    # A start judges the recorded frames again.
    assert [layer.health["mean"] > 0 for layer in layers] == [True] * 6
    assert ["shift_x" in layer.health for layer in layers] == [False, *[True] * 5]
    assert (frame_of(monitor.record, layers[3]) == draw_layer(4, defect=True)).all()
    assert "is gone" not in report_html(monitor.record, "B")
    for folder in (watched, parts):  # what is said of them can be recorded, too
        (folder / os.fsdecode(b"B_7_\xff.png")).write_bytes(b"no image")
        (folder / os.fsdecode(b"B_8_\xff.png")).write_bytes(b"no image")
    image = cv2.imencode(".png", draw_layer(8))[1].tobytes()
    (watched / os.fsdecode(b"B_8_\xff.png")).write_bytes(image)
    monitor.run(once=True)
    (arrival,) = [each for each in rows(monitor, Arrival) if each.outcome == "unreadable"]
    assert r"watched/B_7_\xff.png is not" in arrival.reason
    assert r"parts/B_8_\xff.png is not" in rows(monitor, Layer)[-1].reason


def test_nothing_is_taken_twice_after_a_restart(place, new_monitor):
    for number in range(1, 4):
        write_layer(place / "watched" / f"B_{number}.png", number)
    new_monitor().run(once=True)
    again = new_monitor()
    again.run(once=True)
    assert len(rows(again, Arrival)) == 3


def run_layers(place, new_monitor, text, numbers, defects):
    for number in numbers:
        write_layer(place / "watched" / f"B_{number}.png", number, defect=number in defects)
    monitor = new_monitor(text=text)
    monitor.run(once=True)
    return monitor


def rules(text, **values):
    return text.replace("least_area_px = 20", "\n".join(f"{k} = {v}" for k, v in values.items()))


def test_a_lower_threshold_raises_what_stands_there_already(place, new_monitor):
    high = rules(CONFIG, least_area_px=100)
    monitor = run_layers(place, new_monitor, high, range(1, 7), range(4, 99))
    assert rows(monitor, Alarm) == []
    monitor = run_layers(place, new_monitor, CONFIG, range(7, 9), range(4, 99))
    (alarm,) = rows(monitor, Alarm)
    (raised,) = [layer for layer in rows(monitor, Layer) if layer.id == alarm.layer_id]
    assert (raised.number, alarm.severity, alarm.ended_layer) == (7, "critical", None)
    assert alarm.track_id is not None
    # It ends like any other.
    monitor = run_layers(place, new_monitor, CONFIG, range(9, 13), ())
    (alarm,) = rows(monitor, Alarm)
    assert alarm.ended_layer == 11


def test_a_higher_threshold_ends_what_no_longer_counts(place, new_monitor):
    monitor = run_layers(place, new_monitor, CONFIG, range(1, 7), range(4, 99))
    (alarm,) = rows(monitor, Alarm)
    assert alarm.ended_layer is None
    high = rules(CONFIG, least_area_px=100)
    monitor = run_layers(place, new_monitor, high, range(7, 9), range(4, 99))
    (alarm,) = rows(monitor, Alarm)
    assert alarm.ended_layer == 7


def test_other_tracks_get_numbers_of_their_own(place, new_monitor):
    def write(number):
        image = draw_layer(number)
        image[40:46, 30:36] = image[40:46, 44:50] = (255, 0, 0)
        cv2.imwrite(str(place / "watched" / f"B_{number}.png"), image)

    apart = CONFIG.replace("[policy]", "[policy]\nreach_px = 0")
    for number in range(1, 7):
        write(number)
    monitor = new_monitor(text=apart.replace("background_layers = 2", "background_layers = 0"))
    monitor.run(once=True)
    assert len(rows(monitor, Alarm)) == 2
    before = [(t.number, t.max_area_px) for t in rows(monitor, Track)]
    assert before == [(1, 36), (2, 36)]
    write(7)
    joined = apart.replace("reach_px = 0", "reach_px = 20")
    monitor = new_monitor(text=joined.replace("background_layers = 2", "background_layers = 0"))
    monitor.run(once=True)
    tracks = [(t.number, t.max_area_px) for t in rows(monitor, Track)]
    assert tracks[:2] == before
    still_open = [alarm for alarm in rows(monitor, Alarm) if alarm.ended_layer is None]
    numbers = {track.id: track.number for track in rows(monitor, Track)}
    assert [numbers[alarm.track_id] > 2 for alarm in still_open] == [True] * len(still_open)
    assert still_open
    # Further starts under the same rules raise and end nothing more.
    before = [(alarm.id, alarm.ended_layer) for alarm in rows(monitor, Alarm)]
    for number in (8, 9):
        write(number)
        monitor = new_monitor()
        monitor.run(once=True)
        assert [(alarm.id, alarm.ended_layer) for alarm in rows(monitor, Alarm)] == before
    assert len(rows(monitor, Track)) == len(tracks)


def test_what_was_put_aside_is_taken_after_its_remedy(place, new_monitor):
    watched = place / "watched"
    for number in (1, 2):
        write_layer(watched / f"B-{number}.png", number)
    write_layer(watched / "C_1.png", 3)
    write_layer(watched / "C_1500.png", 4)
    monitor = new_monitor()
    monitor.run(once=True)
    assert [arrival.outcome for arrival in rows(monitor, Arrival)].count("unnamed") == 3
    again = new_monitor()
    again.run(once=True)
    assert len(rows(again, Arrival)) == 4  # nothing is noted twice
    text = CONFIG.replace("[A-Z]+)_", "[A-Z]+)[-_]").replace("poll_s", "max_gap = 5000\npoll_s")
    mended = new_monitor(text=text)
    mended.run(once=True)
    seen = [row.number for row in rows(mended, Layer) if row.state == "inspected"]
    assert sorted(seen) == [1, 1, 2, 1500]


def test_a_frame_of_another_size_than_the_mask_does_not_stop_the_next_start(place, new_monitor):
    cv2.imwrite(str(place / "roi.png"), np.full((64, 64), 255, np.uint8))
    text = CONFIG + '[measure]\nroi = "roi.png"\n'
    small = place / "watched" / "B_4.png"
    cv2.imwrite(str(small), draw_layer(4, size=32))
    monitor = run_layers(place, new_monitor, text, (1, 2, 3, 5), ())
    assert verdicts(monitor)[4] == "not_inspected"
    monitor = run_layers(place, new_monitor, text, (6,), (6,))
    assert verdicts(monitor)[6] == "critical"


def test_a_region_outside_of_the_frame_is_said(place, new_monitor):
    text = CONFIG + "[measure]\nroi = [[64, 64], [900, 64], [900, 900]]\n"
    monitor = run_layers(place, new_monitor, text, (1,), ())
    (layer,) = rows(monitor, Layer)
    assert layer.verdict == "not_inspected"
    assert layer.reason.startswith("measure.roi: the polygon from (64, 64) to (900, 900) lies outs")


def test_parts_keep_their_numbers_after_a_restart(place, new_monitor):
    (place / "parts").mkdir()
    text = CONFIG + '[measure]\nparts = "parts"\n'
    for number in range(1, 5):
        write_layer(place / "watched" / f"B_{number}.png", number, defect=number in (2, 4))
        parts = np.zeros((64, 64), np.uint8)
        parts[38:50, 28:40] = 255  # under the defect
        if number < 3:
            parts[2:10, 2:10] = 255
        cv2.imwrite(str(place / "parts" / f"B_{number}.png"), parts)
        # Each start knows only what the record holds.
        monitor = new_monitor(text=text)
        monitor.run(once=True)
    assert [region.part_id for region in rows(monitor, Region)] == [2, 2]


def test_without_its_parts_a_layer_is_not_inspected(place, new_monitor):
    parts = place / "parts"
    parts.mkdir()
    monitor = new_monitor(text=CONFIG + '[measure]\nparts = "parts"\n')
    for number in (1, 2, 3):
        write_layer(place / "watched" / f"B_{number}.png", number)
        if number == 2:
            parts.rmdir()
        elif number == 3:
            parts.mkdir()  # a mask for each image is not asked for
        monitor.run(once=True)
    assert verdicts(monitor) == {1: "ok", 2: "not_inspected", 3: "ok"}
    assert "measure.parts" in rows(monitor, Layer)[1].reason


def test_the_first_layer_of_a_build_brings_no_warning(place, new_monitor, capfd):
    write_layer(place / "watched" / "B_1.png", 1)
    new_monitor().run(once=True)
    assert "imread" not in capfd.readouterr().err  # of masks that are not there yet


def test_the_background_is_known_to_another_model(place, new_monitor):
    def run(number, colour):
        image = draw_layer(number)
        image[40:46, 30:36] = colour
        cv2.imwrite(str(place / "watched" / f"B_{number}.png"), image)
        monitor = new_monitor()
        monitor.run(once=True)
        return monitor

    for number in (1, 2, 3):
        run(number, (255, 0, 0))  # Incomplete
    spec = InputSpec("image", None, (0, 0, 0), (1, 1, 1), resize="pad")
    classes = ("Background", "Incomplete", "Super")
    shutil.rmtree(place / "bundle")
    write_tiny_bundle(place, manifest=tiny_manifest(input=spec, classes=classes))
    monitor = run(4, (0, 255, 0))  # the same for this model
    assert verdicts(monitor)[4] == "ok"
    assert [r.background for r in rows(monitor, Region)] == [False, False, True, True]


def test_a_late_answer_is_not_inspected(place, new_monitor):
    write_layer(place / "watched" / "B_1.png", 1, defect=True)
    monitor = new_monitor(text=CONFIG.replace("[policy]", "deadline_s = 1e-9\n[policy]"))
    monitor.run(once=True)
    (layer,) = rows(monitor, Layer)
    assert layer.deadline_missed
    assert layer.verdict == "not_inspected"
    assert "longer than 1e-09 s" in layer.reason


def test_a_clock_that_is_set_back_changes_nothing(place, new_monitor, monkeypatch):
    monitor = new_monitor()
    for number in range(1, 4):
        path = place / "watched" / f"B_{number}.png"
        write_layer(path, number)
        os.utime(path, ns=(0, (10 - number) * 10**9))  # each is older than the one before
        monkeypatch.setattr(time, "time", lambda number=number: 1000.0 - 100 * number)
        monitor.run(once=True)
    assert [layer.number for layer in rows(monitor, Layer)] == [1, 2, 3]
    assert not any(layer.late for layer in rows(monitor, Layer))


def test_a_record_that_is_full_is_said_and_caught_up(place, new_monitor):
    watched = place / "watched"
    write_layer(watched / "B_1.png", 1)
    monitor = new_monitor()
    monitor.run(once=True)
    with monitor.record.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
    monitor.record.close()

    def fill(connection, _):
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(monitor.record.engine, "connect", fill)
    for number in range(2, 60):
        write_layer(watched / f"B_{number}.png", number, defect=number == 58)
    for _ in range(3):
        monitor.poll()
    assert "full" in monitor.trouble
    assert len(rows(monitor, Layer)) < 59
    monitor.record.close()
    event.remove(monitor.record.engine, "connect", fill)
    monitor.run(once=True)
    assert monitor.trouble is None
    assert [layer.number for layer in rows(monitor, Layer)] == list(range(1, 60))
    assert verdicts(monitor)[58] == "critical"


def test_frames_of_another_size_do_not_end_the_monitor(place, new_monitor):
    region = "[measure]\nroi = 'roi.png'\n[policy]"
    write_layer(place / "roi.png", 1)
    monitor = new_monitor(text=CONFIG.replace("[policy]", region))
    cv2.imwrite(str(place / "watched" / "B_1.png"), np.full((30, 30, 3), 90, np.uint8))
    monitor.run(once=True)
    (layer,) = rows(monitor, Layer)
    assert layer.verdict == "not_inspected"
    assert "measure.roi" in layer.reason


def test_a_layer_that_cannot_be_recorded_leaves_no_trace(place, new_monitor):
    class Full:
        def layer(self, session, layer, raised):
            if layer.number == 2:
                raise OSError("no space left on device")

        def alive(self, next_within_s):
            assert next_within_s > 0

    for number in (1, 2):
        write_layer(place / "watched" / f"B_{number}.png", number)
    monitor = new_monitor(listener=Full())
    for _ in range(3):
        monitor.poll()
    assert "no space left" in monitor.trouble
    assert [layer.number for layer in rows(monitor, Layer)] == [1]
    assert [row.path for row in rows(monitor, Arrival)] == ["B_1.png"]


def test_neither_torch_nor_openmmlab_is_imported(repository):
    code = (
        "import sys, pkgutil, importlib, lwam_mm.monitor as monitor\n"
        "for found in pkgutil.walk_packages(monitor.__path__, 'lwam_mm.monitor.'):\n"
        "    if '.migrations' not in found.name:\n"
        "        importlib.import_module(found.name)\n"
        "heavy = {'torch', 'torchvision', 'mmengine', 'mmcv', 'mmseg', 'mmrazor', 'mmdeploy'}\n"
        "assert 'lwam_mm.monitor.loop' in sys.modules\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_database_that_is_away_is_said_and_caught_up(place, new_monitor, new_postgres):
    url = new_postgres()
    name = make_url(url).database
    monitor = new_monitor(url)
    write_layer(place / "watched" / "B_1.png", 1)
    monitor.run(once=True)

    with psycopg.connect(url.replace(f"/{name}", "/postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        for number in (2, 3):
            write_layer(place / "watched" / f"B_{number}.png", number, defect=True)
        for _ in range(3):
            monitor.poll()
        assert "the record cannot be written" in monitor.trouble
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    monitor.run(once=True)
    assert monitor.trouble is None
    assert [layer.number for layer in rows(monitor, Layer)] == [1, 2, 3]
    assert len(rows(monitor, Arrival)) == 3


def write_of_size(place, numbers, size):
    for number in numbers:
        image = draw_layer(number, defect=True, size=size)
        assert cv2.imwrite(str(place / "watched" / f"B_{number}.png"), image)


@pytest.mark.parametrize("before", [1, 4])
def test_frames_of_another_size_are_refused_also_without_those_before(place, new_monitor, before):
    write_of_size(place, range(1, before + 1), 64)
    new_monitor().run(once=True)
    for path in (place / "watched").iterdir():
        path.unlink()  # moved to the archive
    write_of_size(place, [before + 1], 96)
    monitor = new_monitor()
    monitor.run(once=True)
    assert rows(monitor, Layer)[-1].reason == "the frame is 96 x 96 px, not 64 x 64"


@pytest.mark.parametrize("before", [1, 4])
def test_a_new_size_in_the_config_is_learned_anew(place, new_monitor, before):
    """The square is background: first of the small frames, then of the large ones."""
    write_of_size(place, range(1, before + 1), 64)
    new_monitor().run(once=True)
    for number in range(before + 1, before + 6):  # with a restart before each
        write_of_size(place, [number], 96)
        monitor = new_monitor(text=CONFIG + "[frame]\nsize = [96, 96]\n")
        monitor.run(once=True)
    assert [layer.state for layer in rows(monitor, Layer)] == ["inspected"] * (before + 5)
    assert verdicts(monitor)[before + 5] == "ok"
    assert [region.background for region in rows(monitor, Region)[-5:]] == [False] * 2 + [True] * 3
