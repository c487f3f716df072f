"""The tool with its signals, from config to receiver."""

import json
import subprocess
import sys

import pytest
from drawn_layers import CONFIG, write_layer
from free_port import free_port
from pymodbus.client import ModbusTcpClient

from lwam_mm.monitor.config.config import parse_config
from lwam_mm.monitor.signal.settings import SignalSection
from lwam_mm.monitor.signal.signals import send_test
from lwam_mm.utils.errors import ConfigError

REPLACE = "[policy]"


def tool(repository, *arguments, **more):
    return subprocess.run(
        [sys.executable, repository / "tools" / "monitor.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        **more,
    )


@pytest.fixture
def configure(place):
    def make(section):
        path = place / "monitor.toml"
        path.write_text(CONFIG.replace(REPLACE, f"{section}\n{REPLACE}"))
        for number in range(1, 5):
            write_layer(place / "watched" / f"B_{number}.png", number, defect=number == 4)
        return path

    return make


def test_a_build_is_told_to_the_webhook(repository, configure, web):
    events = '["layer", "alarm", "state"]'
    config = configure(f'[signal.webhook]\nurl = "{web.url}"\nevents = {events}')
    done = tool(repository, "run", config, "--once")
    assert done.returncode == 3, done.stderr  # a critical alarm is open
    bodies = [body for _, body in web.posts]
    assert [body["layer"] for body in bodies if body["event"] == "layer"] == [1, 2, 3, 4]
    (alarm,) = [body for body in bodies if body["event"] == "alarm"]
    ids = [body["id"] for body in bodies if body["event"] != "state"]
    assert len(ids) == len(set(ids)) == 5  # receivers tell messages apart by it
    shown = alarm["alarm"]
    assert (shown["class"], shown["severity"], alarm["stop_requested"]) == (
        *("Incomplete", "critical"), True
    )  # fmt: skip
    assert bodies[0]["event"] == "state"


def test_what_waits_is_said_and_sent_by_the_next_run(repository, configure, web):
    web.stop()
    config = configure(f'[signal.webhook]\nurl = "{web.url}"\nevents = ["layer"]\ntimeout_s = 1')
    # A run that is not --once, so that it does not wait long.
    process = subprocess.Popen(
        [sys.executable, "-u", repository / "tools" / "monitor.py", "run", config],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if "layer 4" in line:
            break
    process.terminate()
    rest, _ = process.communicate(timeout=60)
    assert "webhook: messages still wait" in rest
    assert process.returncode == 3
    web.start()
    assert tool(repository, "run", config, "--once").returncode == 3
    assert [body["layer"] for _, body in web.posts] == [1, 2, 3, 4]


def test_a_dry_run_prints_and_sends_nothing(repository, configure, web):
    port = free_port()
    config = configure(
        f'[signal.webhook]\nurl = "{web.url}"\n[signal.mqtt]\nhost = "127.0.0.1"\n'
        f"port = {free_port()}\n[signal.modbus]\nport = {port}"
    )
    done = tool(repository, "run", config, "--once", "--dry-run")
    assert done.returncode == 3, done.stderr
    sent = [line for line in done.stdout.splitlines() if line.startswith("dry run: mqtt")]
    found = [json.loads(line.partition("would send ")[2]) for line in sent]
    assert [m["layer"] for m in found if m["event"] == "layer"] == [1, 2, 3, 4]
    assert "dry run: webhook would send" in done.stdout
    assert "dry run: modbus would show [0, 2, 0, 4, 0, 3]" in done.stdout
    assert web.posts == []
    assert tool(repository, "run", config, "--once", "--dry-run").returncode == 3
    assert web.posts == []  # nothing waited for later either


def test_a_test_message_says_what_came_of_it(repository, configure, web):
    port = free_port()
    config = configure(
        f'[signal.webhook]\nurl = "{web.url}"\n'
        f'[signal.mqtt]\nhost = "127.0.0.1"\nport = {port}\ntimeout_s = 0.2'
    )
    done = tool(repository, "signal", config)
    assert done.returncode == 1
    assert "webhook: the message arrived" in done.stdout
    assert f"mqtt: the MQTT broker 127.0.0.1:{port} cannot be reached" in done.stdout
    assert web.posts[0][1]["test"]
    assert tool(repository, "signal", config, "--dry-run").returncode == 0
    assert len(web.posts) == 1


def test_an_address_that_cannot_be_is_said():
    settings = SignalSection.model_validate(
        {"webhook": {"url": "http://["}, "mqtt": {"host": ""}},
    )
    said = []
    assert not send_test(settings, said.append)
    assert said == [
        "webhook: ValueError: Invalid IPv6 URL: correct signal.webhook",
        "mqtt: ValueError: Invalid host.: correct signal.mqtt",
    ]


def test_trouble_of_the_folder_is_told(repository, configure, web, place, wait_for):
    port = free_port()
    config = configure(
        f'[signal.webhook]\nurl = "{web.url}"\nevents = ["state"]\n[signal.modbus]\nport = {port}'
    )
    process = subprocess.Popen([sys.executable, repository / "tools" / "monitor.py", "run", config])
    try:
        wait_for(lambda: web.posts)
        assert web.posts[-1][1]["trouble"] is None
        (place / "watched").rename(place / "away")
        wait_for(lambda: web.posts[-1][1]["trouble"] is not None)
        plc = ModbusTcpClient("127.0.0.1", port=port)
        assert plc.connect()
        wait_for(lambda: plc.read_holding_registers(1, count=1).registers == [3])
        (place / "away").rename(place / "watched")
        wait_for(lambda: web.posts[-1][1]["trouble"] is None)
        plc.close()
    finally:
        process.terminate()
        process.wait()


def test_a_port_in_use_is_said_without_a_traceback(repository, configure, web):
    config = configure(f'[signal.webhook]\nurl = "{web.url}"\n[signal.modbus]\nport = {web.port}')
    done = tool(repository, "run", config, "--once")
    assert done.returncode == 2
    assert f"signal.modbus: 127.0.0.1:{web.port} cannot be used" in done.stderr
    assert "give another address or port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_backlog_does_not_keep_the_monitor_from_ending(repository, configure, place):
    config = configure("")
    for number in range(5, 400):
        write_layer(place / "watched" / f"B_{number}.png", number)
    process = subprocess.Popen(
        [sys.executable, "-u", repository / "tools" / "monitor.py", "run", config],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if "layer 3 " in line:
            break
    process.terminate()
    rest, _ = process.communicate(timeout=60)
    assert "layer 399 " not in rest


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ('[signal.webhook]\nurl = "ftp://x"', "signal.webhook.url.*https://"),
        ('[signal.mqtt]\nhost = "x"\ntopic = "a/#"', "signal.mqtt.topic"),
        ('[signal.mqtt]\nhost = "x"\nport = 0', "signal.mqtt.port"),
        ("[signal.modbus]\nbaud = 9600", "signal.modbus.baud is no setting"),
        ("[signal.carrier_pigeon]", "signal.carrier_pigeon is no setting"),
    ],
)
def test_wrong_settings_are_named(tmp_path, section, told):
    text = CONFIG.replace(REPLACE, f"{section}\n{REPLACE}")
    with pytest.raises(ConfigError, match=told):
        parse_config(text, tmp_path / "monitor.toml")


def test_a_config_without_a_channel_is_said():
    said = []
    assert send_test(SignalSection(), said.append)
    assert said == ["the config has no [signal.webhook], [signal.mqtt] or [signal.modbus]"]
