"""The collector in memory over real HTTP on loopback, with answers that get lost on the way."""

from __future__ import annotations

import json
import random
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from promptster.client import CollectorRefusedError
from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.signing import Envelope

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.helpers.recorders import MemoryCollector


class MemoryCollectorServer:
    """Serves one collector in memory."""

    def __init__(self, memory_collector: MemoryCollector, *, lost: float, chance: random.Random) -> None:
        self.memory_collector = memory_collector
        self.lost = lost
        """Share of answers that never arrive."""
        self.chance = chance
        self.url = ""
        self.changed = threading.Condition()
        """Notified whenever a batch was stored."""
        self.tokens: list[str | None] = []
        """Authorization headers of the requests that carry no batch."""

    def wait_for(self, events: int, *, seconds: float = 60.0) -> None:
        """Return when this many events were received."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.memory_collector.events >= events, seconds), (
                "events did not arrive"
            )

    def put(self, n: int, wire: bytes, earlier: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        with self.changed:
            try:
                receipt = self.memory_collector.take(n, wire, b64u_decode(earlier) if earlier else None)
            except CollectorRefusedError as error:
                return error.status or 500, {}, json.dumps(dict(error.problem)).encode()
            self.changed.notify_all()
        return 200, {"promptster-checked": str(len(self.memory_collector.stored) - 1)}, receipt

    def get(self, path: str) -> dict[str, Any]:
        """The answer to a question about the session."""
        with self.changed:
            if path == "/v1/keys":
                document: dict[str, Any] = json.loads(
                    self.memory_collector.keyfile or self.memory_collector.certified.keyfile
                )
                return document
            if path.endswith("/head"):
                checked = len(self.memory_collector.stored) - 1
                return {
                    "state": "open",
                    "next": checked + 1,
                    "events": self.memory_collector.events,
                    "checked": checked,
                }
            return {"receipts": [Envelope.decode(receipt).to_json() for _, receipt in self.memory_collector.stored]}


def _handler(server: MemoryCollectorServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            """Receive one batch."""
            wire = self.rfile.read(int(self.headers["content-length"]))
            answer = server.put(int(self.path.rpartition("/")[2]), wire, self.headers.get("promptster-receipt"))
            if server.chance.random() < server.lost:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.reply(*answer)

        def do_GET(self) -> None:
            """Answer with head and evidence."""
            server.tokens.append(self.headers.get("authorization"))
            self.reply(200, {}, encode(server.get(self.path)))

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            """Send one answer."""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Tests keep their output clean."""

    return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a connection that breaks because the client was killed."""


@contextmanager
def serving(
    memory_collector: MemoryCollector, *, lost: float = 0.0, chance: random.Random | None = None
) -> Generator[MemoryCollectorServer]:
    """A running server."""
    from tests.helpers.disk import seeded  # noqa: PLC0415 - only for its dice

    server = MemoryCollectorServer(memory_collector, lost=lost, chance=chance or seeded(0))
    http = _Quiet(("127.0.0.1", 0), _handler(server))
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
