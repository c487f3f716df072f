"""The report of a build, read in a real browser."""

import re
import subprocess
import sys

import pytest
from drawn_layers import CONFIG, write_layer
from recorded_build import record_layer
from sqlalchemy import insert, select

from lwam_mm.monitor.record.store import RecordError, build_named, now
from lwam_mm.monitor.record.tables import Alarm, Arrival, Layer, Region
from lwam_mm.monitor.report import browser
from lwam_mm.monitor.report.browser import BrowserError
from lwam_mm.monitor.report.report import report_html, write_report
from lwam_mm.utils.errors import UserError


def test_everything_is_within_the_file(record, build, tab, tmp_path):
    with record.writing() as session:
        alarm = session.scalars(select(Alarm)).one()
        alarm.operator_verdict, alarm.note = "false", "a </script><b>reflection</b>"
    out = tmp_path / "report.html"
    write_report(record, "B1", out)
    tab.goto(out.as_uri())
    tab.wait_for_selector("#areas-recoated .main-svg")
    text = tab.locator("body").inner_text()
    for told in (
        "Build B1",
        "Layer 3 after recoating: critical, 64 px of defects, at 0.090 mm",
        "1 alarms: 0 real, 1 false, 0 unsure, 0 not judged",
        "a </script><b>reflection</b>",  # as text
        "Super <b>in</b> layer 3",
        "layer 5: nobody knows",
        "layer 6: nobody knows",
    ):
        assert told in text, told
    pictures = tab.locator("figure img")
    assert pictures.count() == 2
    assert all(
        pictures.nth(index).evaluate("image => image.naturalWidth") == 64 for index in range(2)
    )
    with record.reading() as session:
        layer = session.scalars(select(Layer).where(Layer.number == 1)).one()
    assert layer.model_sha256 in text
    assert layer.config_sha256 in text


def test_the_strip_shows_every_layer_once(record, build):
    runs = re.findall(r'<rect x="(\d+)" y="[\d.]+" width="(\d+)"', report_html(record, "B1"))
    assert [(int(x), int(width)) for x, width in runs] == [(0, 2), (2, 1), (3, 1), (4, 1), (5, 1)]


def test_a_picture_that_is_gone_is_said(record, build, images):
    (images / "recoated_00003.png").unlink()
    page = report_html(record, "B1")
    assert page.count("the image of layer 3 is gone") == 2


def test_a_build_without_anything_to_show(record, images):
    record_layer(record, 1, images=images)
    page = report_html(record, "B1")
    assert "No layer is critical or minor." in page
    assert "0 alarms" in page


def test_a_build_that_is_not_recorded_is_named(record, build):
    with pytest.raises(RecordError, match="no build 'B2': name one of B1"):
        report_html(record, "B2")


def test_ten_thousand_layers_give_a_file_that_can_be_mailed(record):
    with record.writing() as session:
        row = build_named(session, "long").id
        plain = dict(build_id=row, step="recoated", revision=0, recorded_at=now(), health={})
        plain |= dict(state="inspected", verdict="ok")
        session.execute(insert(Layer), [dict(plain, number=n) for n in range(1, 10_001)])
        ids = session.scalars(select(Layer.id)).all()
        region = dict(class_name="Super", x=1, y=1, width=3, height=3, centre_x=2.0, centre_y=2.0)
        session.execute(insert(Region), [dict(region, layer_id=i, area_px=9 + i % 50) for i in ids])
    page = report_html(record, "long")
    assert "5000 of the smallest regions are left out" in page
    assert len(page) < 8e6  # plotly is 4.9 MB of it


def test_a_pdf_has_its_charts(record, build, tmp_path, chromium):
    out = tmp_path / "report.pdf"
    write_report(record, "B1", out)
    data = out.read_bytes()
    assert data.startswith(b"%PDF")
    # The frame, the overlay and the 3-D map: WebGL itself is not printed.
    assert data.count(b"/Subtype /Image") >= 3


def test_a_machine_without_a_browser_says_what_to_do(record, build, tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "BROWSERS", ("no-such-browser",))
    with pytest.raises(
        BrowserError, match=r"none of no-such-browser: install one, or write .*html"
    ):
        write_report(record, "B1", tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()


def test_another_kind_of_file_is_refused(record, build, tmp_path):
    with pytest.raises(UserError, match=r"report\.docx: a report is \.html or \.pdf"):
        write_report(record, "B1", tmp_path / "report.docx")


def test_files_that_were_put_aside_are_listed(record, build):
    assert "put aside" not in report_html(record, "B1")
    with record.writing() as session:
        ids = {None: None} | {name: build_named(session, name).id for name in ("B1", "B2")}
        for name, path, outcome in (
            ("B1", "B1_7.png", "unreadable"),
            ("B2", "B2_7.png", "unreadable"),
            (None, "notes<b>.txt", "unnamed"),
            *((None, f"x{number:02}.txt", "unnamed") for number in range(60)),
        ):
            session.add(
                Arrival(
                    build_id=ids[name], path=path, size=1, mtime_ns=1, outcome=outcome,
                    reason=f"{path} is odd", at=now(),
                )
            )  # fmt: skip
    page = report_html(record, "B1")
    assert "No layer came of 62 files of this build, or of none that is known." in page
    assert "12 more are left out" in page
    assert "<td>B1_7.png</td>" in page
    assert "<td>notes&lt;b&gt;.txt is odd</td>" in page
    assert "B2_7.png" not in page


def test_the_tool_writes_it(repository, place):
    (place / "monitor.toml").write_text(CONFIG)
    for number in range(1, 6):
        write_layer(place / "watched" / f"B_{number}.png", number, defect=number == 4)

    def tool(*arguments):
        command = [sys.executable, repository / "tools" / "monitor.py", *arguments]
        return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)

    assert tool("run", "monitor.toml", "--once").returncode == 3
    done = tool("report", "monitor.toml", "--build", "B", "--out", "report.html")
    assert (done.returncode, done.stdout) == (0, "wrote report.html\n"), done.stderr
    assert "Incomplete" in (place / "report.html").read_text()
    done = tool("report", "monitor.toml", "--build", "C", "--out", "other.html")
    assert done.returncode == 2
    assert "name one of B" in done.stderr
    assert not (place / "other.html").exists()
