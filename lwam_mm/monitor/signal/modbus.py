"""A Modbus TCP server whose registers a PLC reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from sqlalchemy.exc import DBAPIError

from lwam_mm.monitor.record.store import Record
from lwam_mm.monitor.signal.acknowledge import acknowledge
from lwam_mm.monitor.signal.messages import open_alarms
from lwam_mm.monitor.signal.outbox import OutboxWriter
from lwam_mm.monitor.signal.registers import (
    ACKNOWLEDGE,
    COUNT,
    TROUBLE,
    Shown,
    latest_build,
    read_shown,
)
from lwam_mm.monitor.signal.settings import ModbusSettings
from lwam_mm.utils.errors import ConfigError

_BEAT_S = 1.0
_WRITE_ONE = 6
_WRITES = (_WRITE_ONE, 16, 22, 23)  # functions that write holding registers


class ModbusServer:
    """Shows the state of the latest build in registers, and takes the PLC's acknowledgement.

    All values come from the record, once a second, so they survive a restart. The heartbeat counts
    only while the monitor's own loop is alive.

    Args:
        settings: Where to listen.
        record: The record.
        outbox: Tells the other channels what the PLC acknowledged.
        is_alive: Whether the monitor's loop works.
        say: Gets a line at each acknowledgement.
    """

    def __init__(
        self,
        settings: ModbusSettings,
        record: Record,
        outbox: OutboxWriter,
        is_alive: Callable[[], bool] = lambda: True,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._settings, self._record, self._outbox = settings, record, outbox
        self._is_alive, self._say = is_alive, say
        self._trouble = False
        self._heartbeat, self._shown = 0, Shown()
        self._acknowledged = False
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._listening: threading.Event = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="signal-modbus", daemon=True)

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: The address or port cannot be used.
        """
        self._thread.start()
        self._listening.wait()
        if self._error is not None:
            where = f"{self._settings.address}:{self._settings.port}"
            raise ConfigError(
                f"signal.modbus: {where} cannot be used: {self._error}: "
                "give another address or port"
            ) from self._error

    def tell_trouble(self, trouble: bool) -> None:
        """Show trouble in place of the alarms, or the alarms again."""
        self._trouble = trouble

    def close(self) -> None:
        """Stop listening."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:
            self._error = OSError(f"{type(error).__name__}: {error}")
            self._say(f"modbus: the server ended: {self._error}")
        finally:
            self._listening.set()  # also if it never came to listen: start() waits for it
            self._loop.close()

    async def _serve(self) -> None:
        await asyncio.to_thread(self._look)
        values = self._registers()
        data = SimData(0, values=values, datatype=DataType.REGISTERS)
        server = ModbusTcpServer(
            SimDevice(0, [data], action=self._answer),
            address=(self._settings.address, self._settings.port),
        )
        try:
            await server.serve_forever(background=True)
        except (OSError, RuntimeError) as error:
            self._error = error if isinstance(error, OSError) else OSError(str(error))
            return
        finally:
            self._listening.set()
        while not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), _BEAT_S)
            except asyncio.TimeoutError:
                await asyncio.to_thread(self._look)
                if self._is_alive():
                    self._heartbeat += 1
        await server.shutdown()  # type: ignore[no-untyped-call]

    async def _answer(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        current: list[int],
        written: Any,  # list of int or of bool; None for a read
    ) -> ExcCodes | None:
        """Answer a request of the PLC: bring the registers up to date, or take what it writes."""
        if written is not None:
            # Coils share the memory, but nobody is told of any.
            if (address, count) != (ACKNOWLEDGE, 1) or function not in _WRITES:
                return ExcCodes.ILLEGAL_ADDRESS
            if written[0]:
                self._acknowledged = True
                await asyncio.to_thread(self._look)
            return None
        if function == _WRITE_ONE:  # reads what it wrote, for an answer that repeats the request
            return None
        for index, value in enumerate(self._registers()):
            if 0 <= index - start < len(current):
                current[index - start] = value
        return None

    def _registers(self) -> list[int]:
        found = self._shown.registers(self._heartbeat)
        found[ACKNOWLEDGE] = int(self._acknowledged)
        assert len(found) == COUNT
        return found

    def _look(self) -> None:
        if self._acknowledged:
            self._acknowledged = not self._acknowledge()
        shown, trouble = self._shown, self._trouble
        try:
            with self._record.reading() as session:
                shown = read_shown(session)
        except DBAPIError:
            trouble = True
        self._shown = replace(shown, alarm=TROUBLE) if trouble else shown

    def _acknowledge(self) -> bool:
        try:
            with self._record.writing() as session:
                build = latest_build(session)
                alarms = [] if build is None else open_alarms(session, build)
                acknowledge(session, alarms, "modbus", self._outbox)
        except DBAPIError:
            return False
        self._say(f"modbus: the PLC acknowledged {len(alarms)} alarms")
        return True
