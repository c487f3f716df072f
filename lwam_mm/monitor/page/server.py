"""Serves the page from a thread beside the monitor's loop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import uvicorn

from lwam_mm.monitor.config.secret import secret
from lwam_mm.monitor.page.app import create_app
from lwam_mm.monitor.page.settings import PageSettings
from lwam_mm.monitor.record.store import Record
from lwam_mm.monitor.signal.outbox import OutboxWriter
from lwam_mm.utils.errors import ConfigError


class PageServer:
    """The page while the monitor runs.

    Args:
        settings: The section of the config.
        record: The record that is shown.
        outbox: Tells the channels what was acknowledged.
        trouble: Returns why the monitor cannot work now, or None.

    Raises:
        ConfigError: The variable of the token is not set, or the address cannot be used.
    """

    def __init__(
        self,
        settings: PageSettings,
        record: Record,
        outbox: OutboxWriter,
        trouble: Callable[[], str | None],
    ) -> None:
        token = secret(settings.token_variable, "page.token_variable")
        self._app = app = create_app(record, outbox, trouble, token)
        # uvicorn itself would end the process if the port is taken.
        family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((settings.address, settings.port))
            self._socket.listen()  # from now on browsers wait rather than fail
        except (OSError, TypeError) as error:  # TypeError: no host has such a name
            self._socket.close()
            raise ConfigError(
                f"the page cannot be served at {settings.address}:{settings.port}: {error}: give "
                "another page.port, or page.enabled = false"
            ) from error
        shown = f"[{settings.address}]" if ":" in settings.address else settings.address
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}/"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,  # its own would close the log files of the whole process
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=3,
                lifespan="off",
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="page", daemon=True
        )

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._app.state.stopping = True
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(5)
        self._socket.close()
