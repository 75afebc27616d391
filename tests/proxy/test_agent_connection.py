"""Connections from agents, and from other clients."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.proxy.rig import TOKEN, Talk, provider, proxied, until
from tests.proxy.test_http1 import HOSTILE_REQUESTS

from promptster.proxy.limits import Limits, Timing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.proxy.rig import Proxied


async def _echo(talk: Talk) -> None:
    while True:
        head, body = await talk.request()
        await talk.answer(head.split(b" ")[1] + b" " + body)


@asynccontextmanager
async def slow_agent(here: Proxied, *, length: int = 0, by_us: bool = True) -> AsyncGenerator[socket.socket]:
    """An agent that has sent the head of a request, and reads the answer only in a test.

    Args:
        here: the proxy that it asks.
        length: bytes of its request's body.
        by_us: whether what waits for it is held by the proxy, not by the system.
    """
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
        narrow.connect(("127.0.0.1", here.port))
        await until(lambda: here.agents_connected() == 1)
        if by_us:
            here.narrow()
        line = b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % (TOKEN.encode(), here.port)
        narrow.sendall(line + b"Content-Length: %d\r\n\r\n" % length)
        yield narrow


@pytest.mark.parametrize("name", HOSTILE_REQUESTS)
async def test_hostile_heads_reach_nobody(name: str) -> None:
    """Each is answered with a small typed refusal, the connection ends, and the provider is not even connected to."""
    data, status = HOSTILE_REQUESTS[name]
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(data.replace(b"127.0.0.1:4321", b"127.0.0.1:%d" % here.port))
        assert (await agent.refusal())[0] == status
        assert there.connections == 0
        assert here.seen == []
        assert here.proxy.stats.refused == 1


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("GET /{token}/anthropic/ HTTP/1.1\r\nHost: localhost:{port}\r\n", (421, "wrong_host")),
        ("GET /{token}/anthropic/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://x\r\n", (403, "browser")),
        ("GET /wrong/anthropic/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n", (403, "wrong_token")),
        ("GET /{token}/other/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n", (404, "unknown_path")),
        ("GET /{token}/anthropic/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n", (426, "upgrade")),
    ],
)
async def test_a_refused_request_does_not_reach_the_provider(head: str, expected: tuple[int, str]) -> None:
    """A wrong host, a web page, a wrong token, another path, a WebSocket: nothing is forwarded or observed."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send((head.format(token=TOKEN, port=here.port) + "\r\n").encode())
        assert await agent.refusal() == expected
        assert there.connections == 0
        assert here.seen == []


async def test_a_refused_head_request_gets_no_body() -> None:
    """HEAD is answered by a head alone."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(b"HEAD /x/anthropic/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % here.port)
        answer = await agent.rest()
        assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert answer.endswith(b"\r\n\r\n")


async def test_what_follows_a_refusal_is_not_served() -> None:
    """A second request smuggled after a refused one is dropped."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        good = b"GET /%s/anthropic/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (TOKEN.encode(), here.port)
        await agent.send(b"GET http://x/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % here.port + good)
        assert (await agent.refusal())[0] == 400
        assert there.connections == 0


async def test_pipelined_requests_are_served_in_order() -> None:
    """Requests sent ahead wait for their turn, also those after a body and between hooks."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        for number in range(5):
            await agent.ask(f"/{number}", b"body%d" % number)
            await agent.hook(b"Content-Length: 1\r\n", b"%d" % number)
        for number in range(5):
            assert (await agent.answer())[1] == b"/%d body%d" % (number, number)
            assert (await agent.answer())[1] == b""
        assert here.hooks == [("claude", b"%d" % number) for number in range(5)]
        assert there.connections == 1


async def test_requests_sent_far_ahead_are_not_piled_up() -> None:
    """An agent that sends much more than it reads answers to has to wait; nothing is lost."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await go.wait()
        await talk.answer(b"first")
        await _echo(talk)

    go = asyncio.Event()
    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.ask("/first")
        sending = asyncio.create_task(agent.ask("/second", b"x" * 20_000_000))
        await until(lambda: bool(here.sent_ahead()))
        assert max(here.sent_ahead()) < 1024 * 1024
        go.set()
        assert (await agent.answer())[1] == b"first"
        await sending
        assert len((await agent.answer())[1]) == len("/second ") + 20_000_000


async def test_a_head_may_come_byte_by_byte() -> None:
    """Cuts anywhere in a head change nothing."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        request = b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 2\r\n\r\nhi" % (
            TOKEN.encode(),
            here.port,
        )
        for byte in request:
            await agent.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await agent.answer())[1] == b"/x hi"


async def test_a_head_that_does_not_end_times_out() -> None:
    """Half a head is answered with 408; a connection without any bytes may stay."""
    async with provider(_echo) as there, proxied(there.upstream(), timing=Timing(head_s=0.01)) as here:
        idle, agent = await here.connect(), await here.connect()
        await agent.send(b"GET /x HTTP/1.1\r\n")
        assert await agent.refusal() == (408, "head_timeout")
        await idle.ask("/still", b"here")
        assert (await idle.answer())[1] == b"/still here"


async def test_strangers_cannot_crowd_agents_out() -> None:
    """Beyond the limit the oldest connection that never showed the token is closed first."""
    async with provider(_echo) as there, proxied(there.upstream(), limits=Limits(connections=3)) as here:
        agent = await here.connect()
        await agent.ask("/a")
        await agent.answer()
        strangers = [await here.connect() for _ in range(6)]
        for stranger in strangers[:4]:
            assert await stranger.rest() == b""
        await agent.ask("/b")
        assert (await agent.answer())[1] == b"/b "
        assert here.agents_connected() == 3


async def test_connections_are_gone_when_everybody_left() -> None:
    """Nothing is kept of a closed connection."""
    async with provider(_echo) as there, proxied(there.upstream()) as here:
        for _ in range(3):
            agent = await here.connect()
            await agent.ask("/x")
            await agent.answer()
            agent.leave()
        await until(lambda: not here.agents_connected())
        assert here.proxy.stats.complete == 3


async def test_broken_chunks_after_the_beginning_of_an_answer_cut_it() -> None:
    """Once an answer has begun, nothing of the proxy's own is written into it."""

    async def script(talk: Talk) -> None:
        await talk.head()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await talk.reader.read()

    async with provider(script) as there, proxied(there.upstream()) as here:
        agent = await here.connect()
        await agent.send(
            b"POST /%s/anthropic/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nTransfer-Encoding: chunked\r\n\r\n"
            % (TOKEN.encode(), here.port)
        )
        await agent.head()
        assert await agent.reader.readexactly(4) == b"half"
        await agent.send(b"nonsense\r\n")
        assert await agent.rest() == b""
        assert (await here.settled()).outcome == "cut_by_agent"


@pytest.mark.parametrize("held", ["by us", "by the system"])
async def test_an_early_answer_reaches_an_agent_that_reads_slowly(held: str) -> None:
    """An answer that came before the request's end is delivered whole, however long the agent takes to read it.

    The agent keeps sending meanwhile: a socket that is closed then discards what it still holds.
    """
    size = 200_000

    async def script(talk: Talk) -> None:
        await talk.head()
        await talk.answer(b"x" * size)
        await talk.reader.read()

    async with (
        provider(script) as there,
        proxied(there.upstream(), timing=Timing(drain_s=0.01)) as here,
        slow_agent(here, length=9, by_us=held == "by us") as narrow,
    ):
        await until(lambda: here.proxy.stats.complete == 1)
        assert bool(here.buffered()) == (held == "by us")
        await asyncio.sleep(0.1)  # the wait that the agent's slowness consists of
        narrow.sendall(b"more")
        reader, writer = await asyncio.open_connection(sock=narrow.dup())
        assert len((await reader.read()).partition(b"\r\n\r\n")[2]) == size
        writer.close()
        await writer.wait_closed()


def _read_to_the_end(sock: socket.socket) -> tuple[bytes, bool]:
    """What a blocking socket still receives, and whether a reset ended it."""
    parts: list[bytes] = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        return b"".join(parts), True
    return b"".join(parts), False


@pytest.mark.parametrize("fields", [b"", b"Content-Length: 300000\r\n"], ids=["open", "sized"])
async def test_a_reset_is_passed_on_after_the_bytes_before_it(fields: bytes) -> None:
    """An agent that reads slowly gets all bytes, as without the proxy, and then an end that shows the reset."""
    head, size = b"HTTP/1.1 200 OK\r\n%s\r\n" % fields, 200_000

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(head + b"x" * size)
        await go_on.wait()
        talk.reset()

    go_on = asyncio.Event()
    async with provider(script) as there, proxied(there.upstream()) as here, slow_agent(here) as narrow:
        await until(lambda: bool(here.seen) and len(here.seen[0].response) == size)
        assert here.buffered()
        go_on.set()
        assert (await here.settled()).outcome == "cut_by_provider"
        got, was_reset = await asyncio.to_thread(_read_to_the_end, narrow)
        assert (len(got.partition(b"\r\n\r\n")[2]), was_reset) == (size, True)


async def test_an_agent_that_leaves_before_the_reset_leaves_nothing_behind() -> None:
    """A connection that waits for a slow agent before its reset ends with that agent."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000)
        await go_on.wait()
        talk.reset()

    go_on = asyncio.Event()
    async with provider(script) as there, proxied(there.upstream()) as here:
        async with slow_agent(here):
            await until(lambda: bool(here.seen) and len(here.seen[0].response) == 200_000)
            go_on.set()
            await here.settled()
            assert here.agents_connected() == 1
        await until(lambda: here.agents_connected() == 0)
