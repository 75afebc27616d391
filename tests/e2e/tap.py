"""Listens between an agent and the recorder's proxy: what does the agent really send and get?

The agent is pointed here by ``tapped_agent.py``, which changes nothing but the port in the base URL. Bytes pass
untouched and are remembered per connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@dataclass
class Wire:
    """One connection of the agent."""

    sent: bytearray = field(default_factory=bytearray)
    """What the agent sent."""
    got: bytearray = field(default_factory=bytearray)
    """What the agent got."""


@dataclass(frozen=True)
class Heard:
    """One exchange as the agent saw it."""

    head: bytes
    body: bytes
    answer_head: bytes
    answer_body: bytes
    """Without transfer coding."""
    whole: bool
    """Whether the answer came to its end."""


class Tap:
    """Forwards to the port that ``target`` names."""

    def __init__(self, target: Path) -> None:
        self.wires: list[Wire] = []
        self.port = 0
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire()
        self.wires.append(wire)
        port = int(await asyncio.to_thread(self._target.read_text))
        there, back = await asyncio.open_connection("127.0.0.1", port)
        host = (f"127.0.0.1:{self.port}".encode(), f"127.0.0.1:{port}".encode())
        await asyncio.gather(_pump(reader, back, wire.sent, host), _pump(there, writer, wire.got))

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Listen until told to stop."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()

    def heard(self) -> list[Heard]:
        """Every exchange, connection by connection."""
        return [exchange for wire in self.wires for exchange in _exchanges(bytes(wire.sent), bytes(wire.got))]


@contextlib.contextmanager
def tapping(target: Path) -> Generator[Tap]:
    """A tap on a thread of its own."""
    tap, ready, calls = Tap(target), threading.Event(), list[asyncio.AbstractEventLoop]()
    stop = asyncio.Event()

    async def live() -> None:
        calls.append(asyncio.get_running_loop())
        await tap.serve(ready, stop)

    thread = threading.Thread(target=asyncio.run, args=(live(),), name="tap")
    thread.start()
    ready.wait()
    try:
        yield tap
    finally:
        calls[0].call_soon_threadsafe(stop.set)
        thread.join()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copy: bytearray, host: tuple[bytes, bytes] | None = None
) -> None:
    """Pass bytes on; only the Host header is set right, because the proxy refuses any address but its own."""
    try:
        while data := await reader.read(65536):
            copy += data
            writer.write(data.replace(b": " + host[0] + b"\r\n", b": " + host[1] + b"\r\n") if host else data)
            await writer.drain()
    except (ConnectionError, asyncio.CancelledError):
        pass
    finally:
        with contextlib.suppress(OSError):
            writer.close()


def _exchanges(sent: bytes, got: bytes) -> list[Heard]:
    found: list[Heard] = []
    while b"\r\n\r\n" in sent:
        head, body, sent, _ = _message(sent)
        answer_head, answer_body, whole = b"", b"", False
        if b"\r\n\r\n" in got:
            answer_head, answer_body, got, whole = _message(got, to_head=head.startswith(b"HEAD "))
        found.append(Heard(head=head, body=body, answer_head=answer_head, answer_body=answer_body, whole=whole))
    return found


def _message(data: bytes, *, to_head: bool = False) -> tuple[bytes, bytes, bytes, bool]:
    """(head, body, rest, whether the body came to its end)."""
    head, _, rest = data.partition(b"\r\n\r\n")
    head += b"\r\n\r\n"
    fields = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:-2])
    }
    if to_head:
        return head, b"", rest, True
    if fields.get(b"transfer-encoding") == b"chunked":
        return head, *_dechunk(rest)
    length = int(fields.get(b"content-length", b"0"))
    return head, rest[:length], rest[length:], len(rest) >= length


def _dechunk(data: bytes) -> tuple[bytes, bytes, bool]:
    body = bytearray()
    while b"\r\n" in data:
        line, _, rest = data.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return bytes(body), rest[2:], True
        body += rest[:size]
        if len(rest) < size + 2:
            break
        data = rest[size + 2 :]
    return bytes(body), b"", False
