"""A real Modbus client reads the registers, as a PLC would."""

import pytest
from free_port import free_port
from pymodbus.client import ModbusTcpClient
from sqlalchemy import select

from lwam_mm.monitor.record.tables import Alarm
from lwam_mm.monitor.signal.modbus import ModbusServer
from lwam_mm.monitor.signal.outbox import OutboxWriter, due
from lwam_mm.monitor.signal.registers import (
    ACKNOWLEDGE,
    ALARM,
    COUNT,
    CRITICAL,
    HEARTBEAT,
    LAYER,
    NO_ALARM,
    TROUBLE,
    VERDICT,
    VERDICT_NUMBERS,
)
from lwam_mm.monitor.signal.settings import ModbusSettings
from lwam_mm.utils.errors import ConfigError


@pytest.fixture
def serve(record):
    started = []

    def make(**more):
        port = free_port()
        outbox = OutboxWriter({"mqtt": ("acknowledged",)})
        server = ModbusServer(ModbusSettings(port=port), record, outbox, **more)
        server.start()
        client = ModbusTcpClient("127.0.0.1", port=port)
        assert client.connect()
        started.append((server, client))
        return server, client

    yield make
    for server, client in started:
        client.close()
        server.close()


def read(client):
    answer = client.read_holding_registers(0, count=COUNT)
    assert not answer.isError()
    return answer.registers


def test_the_registers_follow_the_record(record, add_layer, serve, wait_for):
    _, plc = serve()
    assert read(plc)[1:] == [NO_ALARM, 0, 0, 0, 0]
    add_layer(record, 70_000)  # more than 16 bits
    wait_for(lambda: read(plc)[VERDICT] == 1)
    high, low = read(plc)[LAYER : LAYER + 2]
    assert 2**16 * high + low == 70_000
    add_layer(record, 70_001, alarm=True)
    wait_for(lambda: read(plc)[ALARM] == CRITICAL)


def test_the_plc_acknowledges(record, add_layer, serve, wait_for):
    add_layer(record, 1, alarm=True)
    _, plc = serve()  # a restart knows the alarm
    assert read(plc)[ALARM] == CRITICAL
    answer = plc.write_register(ACKNOWLEDGE, 1)
    assert (answer.isError(), answer.registers) == (False, [1])  # some PLCs compare it
    assert (read(plc)[ALARM], read(plc)[ACKNOWLEDGE]) == (NO_ALARM, 0)
    with record.reading() as session:
        assert session.scalars(select(Alarm)).one().acknowledged_by == "modbus"
        assert [row.event for row in due(session, "mqtt")] == ["acknowledged"]
    assert not plc.write_registers(ACKNOWLEDGE, [1]).isError()  # once more changes nothing
    with record.reading() as session:
        assert len(due(session, "mqtt")) == 1


def test_the_plc_can_write_nothing_else(record, add_layer, serve):
    add_layer(record, 1, alarm=True)
    _, plc = serve()
    assert plc.write_coil(ACKNOWLEDGE, True).isError()
    assert plc.write_coils(ACKNOWLEDGE, [True]).isError()
    for address in (HEARTBEAT, ALARM, LAYER, VERDICT):
        assert plc.write_register(address, 7).isError()
    assert plc.write_registers(ALARM, [0, 0, 0, 1]).isError()
    assert read(plc)[1:] == [CRITICAL, 0, 1, 0, VERDICT_NUMBERS["critical"]]


def test_the_heart_beats_only_while_the_monitor_works(serve, wait_for):
    alive = [True]
    _, plc = serve(is_alive=lambda: alive[0])
    first = read(plc)[HEARTBEAT]
    wait_for(lambda: read(plc)[HEARTBEAT] > first + 1)
    alive[0] = False
    stopped = []

    def stands_still():
        stopped.append(read(plc)[HEARTBEAT])
        return len(stopped) > 60 and len(set(stopped[-50:])) == 1  # more than two beats long

    wait_for(stands_still)


def test_trouble_is_shown_in_place_of_alarms(record, add_layer, serve, wait_for):
    add_layer(record, 1)
    server, plc = serve()
    server.tell_trouble(True)
    wait_for(lambda: read(plc)[ALARM] == TROUBLE)
    # An acknowledgement does not hide that nothing is known.
    assert not plc.write_register(ACKNOWLEDGE, 1).isError()
    assert read(plc)[ALARM] == TROUBLE
    server.tell_trouble(False)
    wait_for(lambda: read(plc)[ALARM] == NO_ALARM)


def test_a_record_that_cannot_be_read_is_trouble(record, add_layer, serve, wait_for):
    add_layer(record, 1)
    _, plc = serve()
    with record.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE layer RENAME TO gone")
    wait_for(lambda: read(plc)[ALARM] == TROUBLE)
    with record.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE gone RENAME TO layer")
    wait_for(lambda: read(plc)[ALARM] == NO_ALARM)


def test_a_port_in_use_is_named(record, serve):
    server, _ = serve()
    again = ModbusServer(server._settings, record, OutboxWriter({}))
    with pytest.raises(ConfigError, match="give another address or port"):
        again.start()
