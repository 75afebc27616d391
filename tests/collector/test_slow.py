"""Slow clients, on purpose or not: hundreds of silent ones keep nobody out, and a slow network is accepted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import replace
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from tests.helpers.asgi import read_and_answer
from tests.helpers.candidate import started
from tests.helpers.certificates import make_server
from tests.helpers.collector import collector

from promptster.protocol.batch import MAX_BODY, join_wire, parse_batch
from promptster.protocol.signing import SigningKey
from promptster_collector.connection_slots import ConnectionSlot, ConnectionSlots, Listener, SlotState
from promptster_collector.http_connection import HttpConnection, with_slots

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

DESCRIPTORS = 256
SLOW = 400
BODY = b"PUT /v1/sessions/AAAAAAAAAAAAAAAAAAAAAA/batches/0 HTTP/1.1\r\nHost: c\r\nContent-Length: 5000\r\n\r\nPSB1"


def gave_way(connection: socket.socket) -> bool:
    """Whether the other side closed without an answer; a client whose time is over gets 408."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize(
    "begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: c", BODY], ids=["nothing", "half a head", "half a body"]
)
def test_hundreds_of_slow_connections_keep_nobody_out(tmp_path: Path, begun: bytes) -> None:
    """With fewer descriptors than slow connections, another candidate still starts and sends."""
    with collector(tmp_path, descriptors=DESCRIPTORS) as running, ExitStack() as stack:
        slow: list[socket.socket] = []
        for _ in range(SLOW):
            connection = stack.enter_context(closing(socket.create_connection(("127.0.0.1", running.port), timeout=60)))
            connection.sendall(begun)
            slow.append(connection)
        with httpx.Client(base_url=running.url, trust_env=False, timeout=60) as client:
            candidate = started(client, running.token)
            for n in range(3):
                candidate.say(f"{n}")
                assert candidate.put(client, n).status_code == 200
        gone = sum(gave_way(connection) for connection in slow)
        assert SLOW - DESCRIPTORS <= gone < SLOW, "as many as there is no slot for, and nobody waited for their time"


def test_hundreds_of_silent_connections_keep_tls_free(tmp_path: Path) -> None:
    """A slot is taken before the handshake, and released if the client does not begin it."""
    ca_file, _ = make_server(tmp_path, "collector.example")
    options = ("--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key"))
    with collector(tmp_path, descriptors=DESCRIPTORS, options=options) as running, ExitStack() as stack:
        slow = [
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", running.port), timeout=60)))
            for _ in range(SLOW)
        ]
        context = ssl.create_default_context(cafile=ca_file)
        with httpx.Client(base_url=running.url, trust_env=False, timeout=60, verify=context) as client:
            assert client.get("/healthz").status_code == 200
        assert SLOW - DESCRIPTORS <= sum(gave_way(connection) for connection in slow) < SLOW


def test_a_large_batch_of_a_stranger_is_refused_by_its_head(tmp_path: Path) -> None:
    """A batch signed by another key is answered before its body has arrived."""
    with collector(tmp_path) as running:
        with httpx.Client(base_url=running.url, trust_env=False) as client:
            candidate = started(client, running.token)
        batch = parse_batch(candidate.say("next"))
        body = os.urandom(MAX_BODY)
        signed = SigningKey.generate(os.urandom).sign(replace(batch.header, len=len(body)))
        wire = join_wire(signed.payload, signed.signature, body)
        path = f"/v1/sessions/{candidate.session}/batches/0"
        head = f"PUT {path} HTTP/1.1\r\nHost: c\r\nContent-Length: {len(wire)}\r\n\r\n"
        with closing(socket.create_connection(("127.0.0.1", running.port), timeout=60)) as connection:
            connection.sendall(head.encode() + wire[:100_000])
            answer = HTTPResponse(connection)
            answer.begin()
            assert answer.status == 404


class _Hurried(HttpConnection):
    """A connection with short windows that reports when one has passed."""

    patience = 0.05
    head_seconds = 0.2
    least = 10
    looked = asyncio.Event()

    def _look(self) -> None:
        super()._look()
        self.looked.set()


async def _endless(scope: Any, receive: Any, send: Any) -> None:
    """An application with a longer answer than a network buffers."""
    if scope["type"] != "http":
        return
    del receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000):
        await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})


async def _silent(scope: Any, receive: Any, send: Any) -> None:
    """An application that never answers."""
    if scope["type"] != "http":
        return
    del send
    while (await receive())["type"] != "http.disconnect":
        pass


async def _brief(scope: Any, receive: Any, send: Any) -> None:
    """An application whose answer is just too long for a network that nobody reads from."""
    if scope["type"] != "http":
        return
    del receive
    headers = [(b"content-length", b"60000"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(60000)})


def listener(slots: ConnectionSlots | None) -> socket.socket:
    """A listening socket on loopback, with slots or without."""
    server = Listener(socket.AF_INET, socket.SOCK_STREAM)
    # The accepted side has as small a buffer: the system takes less of an answer.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    server.bind(("127.0.0.1", 0))
    server.listen()
    server.setblocking(False)
    server.slots = slots
    return server


@asynccontextmanager
async def served(
    app: Any, http: type[HttpConnection] = _Hurried, slots: ConnectionSlots | None = None
) -> AsyncGenerator[int]:
    """A server of this application; yields its port."""
    config = uvicorn.Config(app, http=http, ws="none", lifespan="off", log_config=None, loop="asyncio")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with closing(listener(slots)) as listening:
        await server.startup(sockets=[listening])
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            await server.shutdown()


@pytest.mark.parametrize(
    "begun",
    [b"GET / HTTP/1.1\r\nx: ", b"PUT / HTTP/1.1\r\nHost: c\r\nContent-Length: 99999\r\n\r\n"],
    ids=["head", "body"],
)
async def test_who_drips_is_let_go(begun: bytes) -> None:
    """A byte now and then does not keep a slot: a head has its time limit, and a body its minimum pace."""
    async with served(read_and_answer) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        said = asyncio.ensure_future(reader.read(12))
        while not said.done():
            writer.write(b"a")
            await asyncio.wait([said], timeout=0.02)
        assert said.result() == b"HTTP/1.1 408"
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def test_a_slow_body_that_goes_on_is_taken() -> None:
    """A body at the required pace may take as many windows as it needs."""
    async with served(read_and_answer) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PUT / HTTP/1.1\r\nHost: c\r\nConnection: close\r\nContent-Length: 200\r\n\r\n" + bytes(20))
        for _ in range(9):
            _Hurried.looked.clear()
            await _Hurried.looked.wait()
            writer.write(bytes(20))
        assert (await reader.read()).startswith(b"HTTP/1.1 204")
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize("app", [_endless, _brief], ids=["endless", "brief"])
async def test_who_reads_nothing_of_the_answer_is_let_go(app: Any) -> None:
    """An answer that is not read does not keep its slot for ever, however little of it is left."""
    gone = asyncio.Event()

    class Reporting(_Hurried):
        """Says when it is gone."""

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            gone.set()

    async with served(app, Reporting) as port:
        with closing(asking("127.0.0.1", port)):
            await asyncio.wait_for(gone.wait(), 30)


def asking(address: str, port: int) -> socket.socket:
    """A client at this address that makes one request and reads almost nothing of the answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.bind((address, 0))
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET / HTTP/1.1\r\nHost: c\r\n\r\n")
    return connection


async def test_who_does_not_read_the_answer_gives_way() -> None:
    """Unread answers do not fill the slots: the next request is answered, also from the same address."""
    waiting: asyncio.Queue[None] = asyncio.Queue()

    class Reporting(with_slots(ConnectionSlots(limit=4))):  # type: ignore[misc]
        """Says when nobody reads."""

        def pause_writing(self) -> None:
            super().pause_writing()
            waiting.put_nowait(None)

    async with served(_endless, Reporting, Reporting.slots) as port:
        with ExitStack() as stack:
            for _ in range(6):
                connection = stack.enter_context(closing(asking("127.0.0.1", port)))
                connection.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(connection, 12) == b"HTTP/1.1 200"
                await waiting.get()


async def test_who_keeps_all_connections_busy_keeps_out_nobody_elsewhere() -> None:
    """One address gets at most three quarters of the slots; clients elsewhere get the rest and keep them."""
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked.put_nowait(scope["client"][0])
        await _silent(scope, receive, send)

    slots = ConnectionSlots(limit=8)
    async with served(app, with_slots(slots), slots) as port:
        with ExitStack() as stack:
            for _ in range(6):
                stack.enter_context(closing(asking("127.0.0.1", port)))
                assert await asked.get() == "127.0.0.1"
            idle = stack.enter_context(closing(socket.socket()))
            idle.bind(("127.0.0.2", 0))
            idle.connect(("127.0.0.1", port))
            refused = [stack.enter_context(closing(asking("127.0.0.1", port))) for _ in range(6)]
            for connection in refused:
                connection.setblocking(False)
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.get_running_loop().sock_recv(connection, 1) == b""
            stack.enter_context(closing(asking("127.0.0.2", port)))
            assert await asked.get() == "127.0.0.2"
            assert not gave_way(idle)


def placed(slots: ConnectionSlots, sender: str, stack: ExitStack) -> ConnectionSlot:
    """One more connection of this sender."""
    ours, theirs = socket.socketpair()
    stack.enter_context(closing(ours))
    stack.enter_context(closing(theirs))
    return slots.take(ours, sender)


def test_whoever_holds_most_gives_way_and_who_is_answered_never_does() -> None:
    """One network cannot take the slots of another; its own slowest connection is evicted."""
    now = 0.0
    with ExitStack() as stack:
        slots = ConnectionSlots(limit=5, clock=lambda: now)
        assert slots.share == 3
        old = placed(slots, "honest", stack)
        answered = placed(slots, "many", stack)
        answered.begin(SlotState.ANSWERED, now)
        now = 1.0
        first, second = placed(slots, "many", stack), placed(slots, "many", stack)
        sending = placed(slots, "many", stack)
        sending.begin(SlotState.SENDING, now)
        now = 10.0
        sending.received = 1 << 20
        order: list[ConnectionSlot] = []
        for _ in range(3):
            assert slots.make_room("many")
            gone = next(slot for slot in (first, second, sending) if slot.leaving and slot not in order)
            crowded = [slots.crowded]
            slots.leave(gone)
            assert [*crowded, slots.crowded] == [True, False]
            order.append(gone)
            placed(slots, "third", stack).begin(SlotState.ANSWERED, now)
        assert [id(slot) for slot in order] == [id(first), id(second), id(sending)]
        assert not slots.make_room("many"), "nobody who holds fewer slots gives way"
        assert slots.make_room("new")
        assert old.leaving
        slots.leave(old)
        assert slots.make_room("many"), "there is room"
        assert len(slots) == 4


def test_an_answer_waits_for_nothing() -> None:
    """Writes are sent at once: no second write waits until the other side has confirmed the first."""
    with ExitStack() as stack:
        server = stack.enter_context(closing(listener(ConnectionSlots(limit=4))))
        stack.enter_context(closing(socket.create_connection(server.getsockname())))
        server.setblocking(True)
        accepted = stack.enter_context(closing(server.accept()[0]))
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_one_sender_has_its_share_and_no_more() -> None:
    """Beyond three quarters its own connections are evicted even if there is room, and others get in."""
    with ExitStack() as stack:
        slots = ConnectionSlots(limit=8, clock=lambda: 0.0)
        mine = [placed(slots, "many", stack) for _ in range(6)]
        assert slots.make_room("many")
        assert [slot.leaving for slot in mine] == [True] + [False] * 5
        assert not slots.crowded
        slots.leave(mine[0])
        mine.append(placed(slots, "many", stack))
        for slot in mine[1:]:
            slot.begin(SlotState.ANSWERED, 0.0)
        assert not slots.make_room("many")
        assert slots.make_room("new")
        assert len(slots) == 6
