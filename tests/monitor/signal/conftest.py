"""A real MQTT broker and a real web server, each of which can go away and come back."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading

import pytest
from free_port import free_port

from lwam_mm.monitor.record.store import build_named, now
from lwam_mm.monitor.record.tables import Alarm, Layer


class Broker:
    """The broker amqtt in a thread."""

    def __init__(self) -> None:
        self.port = free_port()
        self._thread = None

    def start(self) -> None:
        ready = threading.Event()

        async def serve():
            from amqtt.broker import Broker as Amqtt

            config = {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
            }
            broker = Amqtt(config)
            await broker.start()
            self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
            ready.set()
            await self._stop.wait()
            await broker.shutdown()

        self._thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
        self._thread.start()
        assert ready.wait(20)

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(20)
            self._thread = None


@pytest.fixture
def broker():
    server = Broker()
    server.start()
    yield server
    server.stop()


class WebServer:
    """Keeps what is posted to it, and answers with `status`."""

    def __init__(self) -> None:
        self.port, self.status, self.posts, self.location = free_port(), 204, [], None
        self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def start(self) -> None:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts.append((dict(self.headers), json.loads(body)))
                self.send_response(outer.status)
                if outer.location:
                    self.send_header("Location", outer.location)
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture
def web():
    server = WebServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def add_layer():
    """Return a function that records a layer, with a critical alarm or without."""

    def add(record, number, *, alarm=False, outbox=None, build="B1"):
        with record.writing() as session:
            layer = Layer(
                build_id=build_named(session, build).id,
                number=number,
                step="recoated",
                state="inspected",
                verdict="critical" if alarm else "ok",
                recorded_at=now(),
                health={},
            )
            session.add(layer)
            session.flush()
            raised = []
            if alarm:
                raised = [
                    Alarm(
                        build_id=layer.build_id,
                        layer_id=layer.id,
                        kind="defect",
                        severity="critical",
                        class_name="Super",
                        message=f"Super in layer {number}",
                        raised_at=now(),
                    )
                ]
                session.add_all(raised)
                session.flush()
            if outbox is not None:
                outbox.layer(session, layer, raised)
            return [alarm.id for alarm in raised]

    return add
