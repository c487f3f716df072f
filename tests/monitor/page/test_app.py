"""The page's API, and who may use it."""

import httpx
import pytest
from recorded_build import record_layer
from sqlalchemy import event, select
from tiny_bundle import tiny_manifest

from lwam_mm.monitor.page.server import PageServer
from lwam_mm.monitor.page.settings import PageSettings
from lwam_mm.monitor.record.store import add_document
from lwam_mm.monitor.record.tables import Alarm, Layer
from lwam_mm.monitor.signal.outbox import OutboxWriter, due
from lwam_mm.utils.errors import ConfigError

JSON = "application/json"
SAID = {"by": "Ada", "acknowledge": True, "verdict": "false", "note": "a reflection"}


@pytest.fixture
def client(serve, build):
    with httpx.Client(base_url=serve().url, timeout=30) as opened:
        yield opened


def test_a_picture_takes_one_connection_at_a_time(client, record, build):
    """Many requests that each wait for a second connection would wait for one another."""
    taken = []
    event.listen(
        record.engine.pool, "checkout", lambda *_: taken.append(record.engine.pool.checkedout())
    )
    assert client.get(f"/api/layers/{build[2]}/image.jpg").status_code == 200
    assert taken
    assert max(taken) == 1


def test_layers_come_as_columns(client):
    (found,) = client.get("/api/builds").json()
    assert (found["build"], found["seen"], found["missing"]) == ("B1", 5, 1)
    assert found["steps"] == ["recoated"]
    columns = client.get(f"/api/builds/{found['id']}/layers?step=recoated").json()
    assert columns["numbers"] == [1, 2, 3, 4, 5, 6]
    assert columns["verdicts"] == "oocoxn"
    assert columns["health"]["mean"] == [90, 90, 90, 90, None, None]
    after = client.get(f"/api/builds/1/layers?step=recoated&after={columns['ids'][4]}").json()
    assert after["numbers"] == [6]


@pytest.mark.parametrize("wrong", [2**63, 10**40, -1, "x"])
@pytest.mark.parametrize(
    "address",
    [
        "builds/{}/layers?step=recoated",
        "builds/{}/areas?step=recoated",
        "builds/{}/map?step=recoated",
        "builds/{}/alarms",
        "builds/1/layers?step=recoated&after={}",
        "layers/{}",
        "layers/{}/image.jpg",
        "layers/{}/overlay.png",
    ],
)
def test_a_number_that_cannot_be_is_refused(client, address, wrong):
    assert client.get(f"/api/{address.format(wrong)}").status_code == 422


@pytest.mark.parametrize("what", ["layers", "areas", "map", "alarms"])
def test_a_build_that_is_not_there_has_no_answer_that_looks_good(client, what):
    answer = client.get(f"/api/builds/77/{what}?step=recoated")
    assert answer.status_code == 404
    assert "77" in answer.json()["detail"]


@pytest.mark.parametrize("field", ["by", "note"])
@pytest.mark.parametrize("wrong", ["a\\u0000b", "\\ud800"])
def test_text_that_no_database_holds_is_refused(client, field, wrong):
    text = f'{{"by": "Ada", "{field}": "{wrong}"}}'
    answer = client.post("/api/alarms/1", content=text, headers={"Content-Type": JSON})
    assert answer.status_code == 422
    assert field in answer.json()["detail"][0]["loc"]


def test_a_note_may_have_several_lines(client):
    said = {**SAID, "note": "one\r\ntwo\n"}
    assert client.post("/api/alarms/1", json=said).json()["note"] == said["note"]


def test_a_token_is_not_repeated(client):
    answer = client.post("/login", json={"tokens": "secret"})
    assert answer.status_code == 422
    assert "secret" not in answer.text


def test_areas_and_places(client):
    areas = client.get("/api/builds/1/areas?step=recoated").json()
    assert areas["unit"] == "mm²"
    assert areas["classes"] == {"Super": {"layers": [3], "areas": [4.0]}}
    assert set(areas["colours"]) == {"Super", "Incomplete"}
    places = client.get("/api/builds/1/map?step=recoated").json()
    assert (places["unit"], places["layers"], places["x"], places["y"]) == (
        "mm",
        [3],
        [5.9],
        [12.6],
    )
    assert places["left_out"] == 0


def test_a_layer_with_its_pictures(client, build):
    layer = client.get(f"/api/layers/{build[2]}").json()
    assert (layer["number"], layer["verdict"]) == (3, "critical")
    assert layer["regions"][0]["class_name"] == "Super"
    image = client.get(f"/api/layers/{build[2]}/image.jpg")
    assert image.headers["content-type"] == "image/jpeg"
    overlay = client.get(f"/api/layers/{build[2]}/overlay.png")
    assert overlay.headers["content-type"] == "image/png"
    again = client.get(
        f"/api/layers/{build[2]}/image.jpg", headers={"If-None-Match": image.headers["etag"]}
    )
    assert again.status_code == 304


def test_after_a_change_of_the_model_the_mask_is_fetched_again(client, record, build, images):
    address = f"/api/layers/{build[2]}/overlay.png"
    old = client.get(address)
    again = {"If-None-Match": old.headers["etag"]}
    assert client.get(address, headers=again).status_code == 304
    layer = record_layer(record, 7, images=images)
    other = tiny_manifest(classes=("Background", "Incomplete", "Super"))
    with record.writing() as session:
        session.get_one(Layer, layer).model_sha256 = add_document(session, "model", other.to_json())
    new = client.get(address, headers=again)
    assert new.status_code == 200
    assert new.content != old.content  # Super has another colour now


def test_a_picture_that_is_gone_or_changed_says_so(client, build, images):
    (images / "recoated_00001.png").unlink()
    (images / "recoated_00002.png").write_bytes((images / "recoated_00003.png").read_bytes())
    for layer, told in ((0, "is gone"), (1, "no longer the image"), (4, "is missing")):
        answer = client.get(f"/api/layers/{build[layer]}/image.jpg")
        assert answer.status_code == 404
        assert told in answer.json()["detail"]
    answer = client.get(f"/api/layers/{build[5]}/overlay.png")
    assert "was not inspected" in answer.json()["detail"]


def test_an_operator_says_what_an_alarm_is(client, record):
    (alarm,) = client.get("/api/builds/1/alarms").json()
    assert alarm["layer"] == 3
    changed = client.post(f"/api/alarms/{alarm['id']}", json=SAID).json()
    assert (changed["operator_verdict"], changed["note"]) == ("false", "a reflection")
    with record.reading() as session:
        row = session.scalars(select(Alarm)).one()
        assert (row.acknowledged_by, row.operator_verdict) == ("Ada", "false")
        assert [message.event for message in due(session, "mqtt")] == ["acknowledged"]
    # What is left out stays as it is.
    changed = client.post(f"/api/alarms/{alarm['id']}", json={"by": "Bob", "note": "no"}).json()
    assert (changed["operator_verdict"], changed["note"]) == ("false", "no")
    assert changed["acknowledged_by"] == "Ada"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"by": ""}, 422),
        ({}, 422),
        ({"by": "A", "verdict": "maybe"}, 422),
        ({"by": "A", "x": 1}, 422),
    ],
)
def test_wrong_changes_are_refused(client, body, status):
    assert client.post("/api/alarms/1", json=body).status_code == status


def test_what_is_not_there_is_said(client):
    assert client.get("/api/layers/999").status_code == 404
    assert client.post("/api/alarms/999", json=SAID).status_code == 404
    assert client.get("/api/builds/1/layers?step=baked").status_code == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "evil.example"}, 421),
    ],
)
def test_other_sites_can_change_nothing(client, record, headers, status):
    answer = client.post(
        "/api/alarms/1", content=b'{"by": "M", "acknowledge": true}',
        headers={"Content-Type": "application/json", **headers},
    )  # fmt: skip
    assert answer.status_code == status
    with record.reading() as session:
        assert session.scalars(select(Alarm)).one().acknowledged_at is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil"])
def test_a_name_that_others_let_point_here_is_refused(client, host):
    assert client.get("/api/builds", headers={"Host": host}).status_code == 421


def test_nothing_can_be_framed_or_loaded_from_elsewhere(client):
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy


def test_the_api_describes_itself(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert "/api/alarms/{alarm_id}" in paths
    assert client.get("/docs").status_code == 404  # it would load from elsewhere


def test_a_token_guards_everything(serve, build, monkeypatch):
    monkeypatch.setenv("PAGE_TOKEN", "grün-und-gut")
    url = serve(token_variable="PAGE_TOKEN").url
    with httpx.Client(base_url=url) as client:
        assert client.get("/api/builds").status_code == 401
        assert client.get("/plotly.min.js").status_code == 401
        page = client.get("/", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        assert client.get("/login").status_code == 200
        assert client.post("/login", json={"token": "wrong"}).status_code == 401
        assert client.get("/api/builds").status_code == 401
        answer = client.post("/login", json={"token": "grün-und-gut"})
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "SameSite=strict" in answer.headers["set-cookie"]
        assert "grün" not in answer.headers["set-cookie"]
        assert client.get("/api/builds").status_code == 200  # by the cookie
    bearer = {"Authorization": "Bearer grün-und-gut".encode()}
    assert httpx.get(f"{url}api/builds", headers=bearer).status_code == 200


def test_others_can_reach_the_page_only_with_a_token():
    for address in ("0.0.0.0", "192.168.0.7", "::", "printer.local"):
        with pytest.raises(ValueError, match="token_variable"):
            PageSettings(address=address)
        assert PageSettings(address=address, token_variable="T").address == address
    for address in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert PageSettings(address=address).token_variable is None


def test_a_port_in_use_is_named(serve):
    port = int(serve().url.rstrip("/").rpartition(":")[2])
    with pytest.raises(ConfigError, match=r"page\.port"):
        serve_again(serve, port)


def serve_again(serve, port):
    PageServer(PageSettings(port=port), None, None, lambda: None)


def test_a_record_that_is_away_is_said(client, record):
    with record.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE layer RENAME TO gone")
    answer = client.get("/api/builds")
    assert answer.status_code == 503
    assert "cannot be read" in answer.json()["detail"]
    assert "cannot be read" in client.get("/api/state").json()["trouble"]
    with record.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE gone RENAME TO layer")
    assert client.get("/api/state").json()["trouble"] is None


@pytest.mark.parametrize("address", ["a\0", "ä" * 300])
def test_an_address_that_cannot_be_is_named(record, monkeypatch, address):
    monkeypatch.setenv("PAGE_TOKEN", "secret")
    settings = PageSettings(address=address, token_variable="PAGE_TOKEN")
    with pytest.raises(ConfigError, match=r"the page cannot be served at .*give another"):
        PageServer(settings, record, OutboxWriter({}), lambda: None)
