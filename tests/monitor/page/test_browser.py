"""The page in a real browser, as an operator uses it."""

import contextlib
import re

import pytest
from playwright.sync_api import expect
from recorded_build import record_layer
from sqlalchemy import insert, select

from lwam_mm.monitor.record.store import build_named, now
from lwam_mm.monitor.record.tables import Alarm, Arrival, Layer, Region


def open_page(tab, server):
    tab.goto(server.url)
    tab.wait_for_selector("#areas .main-svg")


def test_the_newest_layer_is_shown_and_keys_move(tab, serve, build):
    open_page(tab, serve())
    title = tab.locator("#layer-title")
    expect(tab.locator("#layer-title")).to_contain_text("Layer 6")
    tab.keyboard.press("Home")
    expect(tab.locator("#layer-title")).to_contain_text("Layer 1")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#layer-title")).to_contain_text("Layer 3")
    assert "0.090 mm" in title.inner_text()
    assert "critical" in tab.locator("#verdict").inner_text()
    assert "Super" in tab.locator("#regions").inner_text()
    label = tab.locator("#strip").get_attribute("aria-label")
    assert label == "Verdicts of 6 layers: 3 ok, 0 minor, 1 critical, 1 not inspected, 1 missing"


def test_a_region_has_the_place_that_its_alarm_names(tab, serve, record, images):
    record_layer(record, 1, images=images, verdict="minor", mm=False)
    open_page(tab, serve())
    expect(tab.locator("#regions")).to_contain_text("24, 14 px")  # its centre, (23.5, 13.5)


def test_the_overlay_lies_on_the_frame_and_goes_away(tab, serve, build, wait_for):
    open_page(tab, serve())
    tab.locator("#alarms button", has_text="Layer 3").click()
    overlay, frame = tab.locator("#overlay"), tab.locator("#frame")
    wait_for(lambda: overlay.evaluate("image => image.naturalWidth") > 0)
    wait_for(lambda: overlay.bounding_box() == pytest.approx(frame.bounding_box(), abs=0.1))
    tab.keyboard.press("o")
    assert not overlay.is_visible()
    tab.keyboard.press("o")
    assert overlay.is_visible()


def test_a_new_layer_appears_by_itself(tab, serve, build, record, images):
    open_page(tab, serve())
    expect(tab.locator("#layer-title")).to_contain_text("Layer 6")
    record_layer(record, 7, images=images, verdict="minor")
    expect(tab.locator("#layer-title")).to_contain_text("Layer 7")
    expect(tab.locator("#open-count")).to_have_text("2 open of 2")
    tab.locator("#follow").uncheck()
    record_layer(record, 8, images=images)
    expect(tab.locator("#slider")).to_have_attribute("max", "7")
    assert "Layer 7" in tab.locator("#layer-title").inner_text()  # nobody is taken away from it


def test_after_a_wrong_number_the_layer_that_was_recorded_last_is_followed(
    tab, serve, record, images
):
    for number in (1, 900, 2):
        record_layer(record, number, images=images)
    open_page(tab, serve())
    expect(tab.locator("#layer-title")).to_contain_text("Layer 2,")
    record_layer(record, 3, images=images)
    expect(tab.locator("#layer-title")).to_contain_text("Layer 3,")
    tab.keyboard.press("End")
    expect(tab.locator("#layer-title")).to_contain_text("Layer 900,")
    tab.locator("#follow").check()
    expect(tab.locator("#layer-title")).to_contain_text("Layer 3,")


def test_the_first_layer_appears_on_an_empty_page(tab, serve, record, images):
    tab.goto(serve().url)
    expect(tab.locator("#counts")).to_contain_text("Nothing")
    record_layer(record, 1, images=images)
    expect(tab.locator("#layer-title")).to_contain_text("Layer 1")


def test_files_that_were_put_aside_are_said(tab, serve, record):
    tab.goto(serve().url)
    expect(tab.locator("#state")).to_have_text("watching")
    expect(tab.locator("#aside")).to_have_text("")
    for at, path in enumerate(("a.txt", "b.txt")):
        with record.writing() as session:
            reason = f"{path}: its name says nothing"
            values = dict(size=1, mtime_ns=1, outcome="unnamed", reason=reason, at=now())
            session.add(Arrival(path=path, **values))
        expect(tab.locator("#aside")).to_contain_text(("1 file was", "2 files were")[at])
        expect(tab.locator("#aside")).to_contain_text(reason)


def note_of(record, layer=3):
    with record.reading() as session:
        return session.scalars(select(Alarm).join(Layer).where(Layer.number == layer)).one().note


def test_an_alarm_is_acknowledged_judged_and_noted(tab, serve, build, record, wait_for):
    open_page(tab, serve())
    tab.locator("#by").fill("Ada")
    tab.get_by_role("button", name="Acknowledge").click()
    expect(tab.locator("#open-count")).to_have_text("0 open of 1")
    tab.get_by_role("button", name="false", exact=True).click()
    tab.wait_for_selector("#alarms button[aria-pressed=true]:has-text('false')")
    tab.locator("#alarms textarea").fill("a <reflection>")
    tab.locator("#by").focus()
    wait_for(lambda: note_of(record) == "a <reflection>")
    with record.reading() as session:
        alarm = session.scalars(select(Alarm)).one()
    assert (alarm.acknowledged_by, alarm.operator_verdict) == ("Ada", "false")
    # What an alarm says is shown as text, whatever is in it.
    assert "Super <b>in</b> layer 3" in tab.locator("#alarms").inner_text()


def test_a_note_is_written_on_while_answers_arrive(tab, serve, build, record, wait_for):
    held = []
    # The monitor is slow to answer at first.
    tab.route("**/api/alarms/*", lambda route: held.append(route))
    open_page(tab, serve())
    tab.get_by_role("button", name="false", exact=True).click()
    note = tab.locator("#alarms textarea")
    note.press_sequentially("a refl")
    held[0].continue_()
    tab.unroute("**/api/alarms/*")  # it could not answer while the record is waited for
    expect(tab.locator("#alarms button[aria-pressed=true]")).to_have_text("false")
    expect(note).to_be_focused()
    tab.keyboard.type("ection")
    tab.locator("#by").focus()
    wait_for(lambda: note_of(record) == "a reflection")
    expect(note).to_have_value("a reflection")


def test_a_press_that_ends_a_note_counts_too(tab, serve, build, record, wait_for):
    open_page(tab, serve())
    tab.locator("#alarms textarea").fill("seen")
    box = tab.get_by_role("button", name="Acknowledge").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    wait_for(lambda: note_of(record) == "seen")
    tab.evaluate("inTurn(loadAlarms)")  # before the button is released
    tab.mouse.up()
    expect(tab.locator("#open-count")).to_have_text("0 open of 1")


def test_a_note_that_was_not_kept_stays_and_can_be_sent_again(
    tab, serve, build, record, images, wait_for
):
    open_page(tab, serve())
    tab.requests_may_fail = True
    tab.route("**/api/alarms/*", lambda route: route.abort())
    note = tab.locator("#alarms textarea")
    note.fill("a reflection")
    tab.locator("#by").focus()
    expect(tab.locator("#state")).to_contain_text("not kept: ")
    record_layer(record, 7, images=images, verdict="minor")
    expect(tab.locator("#open-count")).to_have_text("2 open of 2")
    note = tab.locator("#alarms li", has_text="layer 3").locator("textarea")
    expect(note).to_have_value("a reflection")
    tab.unroute("**/api/alarms/*")
    note.focus()
    tab.locator("#by").focus()
    wait_for(lambda: note_of(record) == "a reflection")


def test_a_note_is_kept_when_the_page_follows_to_the_next_build(
    tab, serve, build, record, images, wait_for
):
    open_page(tab, serve())
    tab.locator("#alarms textarea").press_sequentially("a reflection")
    record_layer(record, 1, build="next", images=images)
    expect(tab.locator("#layer-title")).to_contain_text("Layer 1")
    wait_for(lambda: note_of(record) == "a reflection")


def test_what_one_operator_says_another_sees(tab, serve, build, chromium):
    server = serve()
    open_page(tab, server)
    tab.get_by_role("button", name="real", exact=True).click()
    with contextlib.closing(chromium.new_context()) as context:
        other = context.new_page()
        open_page(other, server)
        chosen = other.locator("#alarms button[aria-pressed=true]")
        expect(chosen).to_have_text("real")
        tab.get_by_role("button", name="false", exact=True).click()
        expect(chosen).to_have_text("false")
        tab.locator("#alarms textarea").fill("a reflection")
        tab.locator("#by").focus()
        expect(other.locator("#alarms textarea")).to_have_value("a reflection")


def test_a_layer_that_could_not_be_shown_at_once_is_shown_later(tab, serve, build, record, images):
    open_page(tab, serve())
    expect(tab.locator("#layer-title")).to_contain_text("Layer 6")
    tab.requests_may_fail = True
    failed = []
    tab.route(
        "**/layers?*", lambda route: route.continue_() if failed else failed.append(route.abort())
    )
    record_layer(record, 7, images=images)
    expect(tab.locator("#layer-title")).to_contain_text("Layer 7")
    assert failed


@pytest.mark.parametrize("path", ["**/api/events", "**/api/builds"])
def test_the_page_tries_again_after_a_proxys_error(tab, serve, build, path):
    failed = []

    def fail_once(route):
        if failed:
            route.continue_()
        else:
            failed.append(route.fulfill(status=502, body="<h1>Bad gateway</h1>"))

    tab.requests_may_fail = True
    tab.route(path, fail_once)
    tab.goto(serve().url)
    expect(tab.locator("#state")).to_have_text(re.compile("502|does not answer"))
    expect(tab.locator("#state")).to_have_text("watching")
    expect(tab.locator("#layer-title")).to_contain_text("Layer 6")


def test_an_answer_that_fails_is_said(tab, serve, build):
    open_page(tab, serve())
    tab.requests_may_fail = True
    tab.route("**/api/layers/*", lambda route: route.abort())
    tab.keyboard.press("ArrowLeft")
    expect(tab.locator("#state")).to_have_text("Failed to fetch")


def test_an_image_that_is_gone_does_not_hide_the_next(tab, serve, build):
    open_page(tab, serve())
    tab.keyboard.press("Home")
    expect(tab.locator("#layer-title")).to_contain_text("Layer 1,")
    asked = []

    def answer(route):
        asked.append(route)
        if len(asked) == 1:
            route.fulfill(status=404, json=dict(detail="it is gone"))

    gone = tab.evaluate("`**/api/layers/${layers.get(3).id}/image.jpg`")
    tab.requests_may_fail = True
    tab.route(gone, answer)
    with tab.expect_request(
        lambda request: request.resource_type == "fetch" and "jpg" in request.url
    ):
        tab.keyboard.press("ArrowRight")
        tab.keyboard.press("ArrowRight")
    expect(tab.locator("#layer-title")).to_contain_text("Layer 3,")
    # The page asks why it is gone, and the answer takes long.
    tab.keyboard.press("Home")
    expect(tab.locator("#layer-title")).to_contain_text("Layer 1,")
    asked[1].fulfill(status=404, json=dict(detail="it is gone"))
    tab.wait_for_function("() => document.querySelector('#frame').naturalWidth")
    expect(tab.locator("#gone")).to_have_text("")


def test_the_keyboard_stays_in_the_list_of_alarms(tab, serve, build, record, images):
    open_page(tab, serve())
    tab.get_by_role("button", name="false", exact=True).press("Enter")
    chosen = tab.locator("#alarms button[aria-pressed=true]")
    expect(chosen).to_have_text("false")
    expect(chosen).to_be_focused()
    record_layer(record, 7, images=images)
    expect(tab.locator("#layer-title")).to_contain_text("Layer 7")
    expect(chosen).to_be_focused()
    tab.get_by_role("button", name="Acknowledge").press("Enter")
    expect(tab.locator("#open-count")).to_have_text("0 open of 1")
    expect(tab.get_by_role("button", name="Layer 3")).to_be_focused()


def test_names_are_never_taken_as_html(tab, serve, record, images):
    name = "<img src=x onerror=document.title='broken'>"
    record_layer(record, 1, build=name, images=images, verdict="critical")
    open_page(tab, serve())
    expect(tab.locator("#layer-title")).to_contain_text("Layer 1")
    assert tab.locator("#build").inner_text() == name
    assert tab.title() == "Layer monitor"


def test_a_region_of_interest_is_drawn(tab, serve, build, wait_for):
    open_page(tab, serve())
    wait_for(lambda: tab.locator("#frame").evaluate("image => image.naturalWidth") > 0)
    tab.get_by_role("button", name="Draw region of interest").click()
    box = tab.locator("#frame").bounding_box()
    for x, y in ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75)):
        tab.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    text = tab.locator("#roi-text").input_value()
    assert text.startswith("roi = [[")
    corners = eval(text.removeprefix("roi = "))
    expected = [(16, 16), (48, 16), (48, 48)]  # of 64 px
    for found, wanted in zip(corners, expected, strict=True):
        assert abs(found[0] - wanted[0]) <= 2
        assert abs(found[1] - wanted[1]) <= 2


def test_trouble_is_shown_and_goes(tab, serve, build):
    trouble = ["the folder is away"]
    open_page(tab, serve(lambda: trouble[0]))
    expect(tab.locator("#state")).to_have_text("the folder is away")
    trouble[0] = None
    expect(tab.locator("#state")).to_have_text("watching")


def test_the_token_is_asked_for(tab, serve, build, monkeypatch):
    monkeypatch.setenv("PAGE_TOKEN", "secret")
    tab.goto(serve(token_variable="PAGE_TOKEN").url)
    tab.locator("#token").fill("secret")
    tab.get_by_role("button", name="Open").click()
    tab.wait_for_selector("#areas .main-svg")


def test_a_value_between_gaps_is_a_point(tab, serve, build, record, images, wait_for):
    open_page(tab, serve())
    points = """() => [...document.querySelectorAll('#areas .point')]
        .map(point => point.getBoundingClientRect().width).filter(width => width > 2).length"""
    assert tab.evaluate(points) == 0
    record_layer(record, 7, images=images, verdict="minor")  # 5 and 6 are not known
    wait_for(lambda: tab.evaluate(points) == 1)


def test_ten_thousand_layers_are_shown(tab, serve, record):
    with record.writing() as session:
        build = build_named(session, "long").id
        plain = dict(build_id=build, step="recoated", revision=0, recorded_at=now(), health={})
        session.execute(
            insert(Layer),
            [
                dict(plain, number=n, state="inspected", verdict="critical" if n == 5000 else "ok")
                for n in range(1, 10_001)
            ],
        )
        ids = session.scalars(select(Layer.id).where(Layer.number % 10 == 0)).all()
        region = dict(class_name="Super", area_px=9, x=1, y=1, width=3, height=3)
        session.execute(
            insert(Region), [dict(region, layer_id=i, centre_x=2.0, centre_y=2.0) for i in ids]
        )
        lone = session.scalars(select(Layer.id).where(Layer.number == 5003)).one()
        large = dict(region, area_px=500, layer_id=lone, centre_x=2.0, centre_y=2.0)
        session.execute(insert(Region), [large])
    open_page(tab, serve())
    assert "10000 layers: 9999 ok, 0 minor, 1 critical" in (
        tab.locator("#strip").get_attribute("aria-label")
    )
    # Nor is a lone large region among the layers that share a point of its line.
    areas = tab.evaluate("() => document.querySelector('#areas').data[0]")
    assert len(areas["x"]) <= 2000
    assert areas["x"][areas["y"].index(500)] == 5003
    # The one that matters is not lost among those that share its column.
    assert tab.evaluate(
        """() => {
          const strip = document.querySelector('#strip');
          const pixels = strip.getContext('2d').getImageData(0, 5, strip.width, 1).data;
          let found = 0;
          for (let i = 0; i < pixels.length; i += 4)
            if (pixels[i] === 0xD5 && pixels[i + 1] === 0x5E && pixels[i + 3] === 255) found += 1;
          return found;
        }"""
    )


def test_it_fits_a_tablet(tab, serve, build):
    tab.set_viewport_size({"width": 768, "height": 1024})
    open_page(tab, serve())
    assert tab.evaluate("document.documentElement.scrollWidth") <= 768
