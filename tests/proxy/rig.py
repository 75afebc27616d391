"""Two real loopback ends for the proxy: an agent that writes raw bytes, and a provider that answers from a script."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from promptster.network import Network
from promptster.proxy.observation import (
    DataMissed,
    ExchangeEnd,
    RequestData,
    RequestEnd,
    ResponseData,
    ResponseStart,
)
from promptster.proxy.reverse_proxy import ReverseProxy
from promptster.proxy.upstreams import Upstream

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from promptster.proxy.header_fields import Headers
    from promptster.proxy.limits import Limits, Timing
    from promptster.proxy.observation import ExchangeOutcome, Observation, Observer, RequestInfo
    from promptster.proxy.provider_connections import ProviderConnection

# pyright: reportPrivateUsage=false
# What the proxy holds back, and for whom, shows only inside it.

TOKEN = "a-token-of-these-tests-0123456789_-abcdefg"


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until this is true; no event announces it."""
    while not condition():  # noqa: ASYNC110 - the loop's own turns are what is waited for
        await asyncio.sleep(0)


async def _handed_over() -> None:
    """Let connections that a closed server had accepted get their protocols, which then close them."""
    for _ in range(5):
        await asyncio.sleep(0)


@dataclass
class Talk:
    """One connection that reached a provider."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> bytes:
        """The next request's head, as it came."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> tuple[bytes, bytes]:
        """The next request's head and its body of known length."""
        head = await self.head()
        match = re.search(rb"(?i)\r\ncontent-length:[ \t]*(\d+)", head)
        return head, await self.reader.readexactly(int(match[1]) if match else 0)

    async def send(self, data: bytes) -> None:
        """Write, and wait until the socket has room."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"ok", fields: bytes = b"", status: bytes = b"200 OK") -> None:
        """A whole response of known length."""
        await self.send(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), fields, body))

    def close(self) -> None:
        """Close properly."""
        self.writer.close()

    def reset(self) -> None:
        """Close by a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()


@dataclass
class Provider:
    """A scripted server on a loopback port."""

    port: int
    connections: int = 0

    def upstream(self, name: str = "anthropic", path: str = "", *, scheme: str = "http") -> Upstream:
        """This server as an upstream."""
        return Upstream(name, f"{scheme}://127.0.0.1:{self.port}{path}")


@asynccontextmanager
async def provider(
    script: Callable[[Talk], Awaitable[object]], *, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Provider]:
    """Run ``script`` for every connection; it is cancelled at the end, and what else it raises is raised here."""
    talks: list[Talk] = []
    tasks: list[asyncio.Task[None]] = []
    state = Provider(port=0)

    async def run(talk: Talk) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await script(talk)
        talk.writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        talks.append(Talk(reader, writer))
        tasks.append(asyncio.create_task(run(talks[-1])))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        await _handed_over()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for talk in talks:
            talk.writer.close()
            with contextlib.suppress(OSError):
                await talk.writer.wait_closed()
        for result in results:
            if isinstance(result, Exception):
                raise result


@dataclass
class Seen:
    """An observer that keeps what the proxy reports."""

    info: RequestInfo
    observations: list[type[Observation]] = field(default_factory=list["type[Observation]"])
    request: bytes = b""
    response: bytes = b""
    status: int | None = None
    headers: Headers = ()
    missing: int = 0
    endings: list[tuple[ExchangeOutcome, str]] = field(default_factory=list["tuple[ExchangeOutcome, str]"])
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def observe(self, observation: Observation) -> None:
        """Keep what the proxy reports."""
        self.observations.append(type(observation))
        match observation:
            case RequestData(data):
                self.request += data
            case RequestEnd():
                pass
            case ResponseStart(status, headers):
                self.status, self.headers = status, headers
            case ResponseData(data):
                self.response += data
            case DataMissed(size):
                self.missing += size
            case ExchangeEnd(outcome, reason):
                self.endings.append((outcome, reason))
                self.over.set()
            case _:
                assert_never(observation)

    @property
    def outcome(self) -> ExchangeOutcome:
        """How it ended; exactly once, and last."""
        assert len(self.endings) == 1
        assert self.observations[-1] is ExchangeEnd
        return self.endings[0][0]


@dataclass
class Agent:
    """An agent's connection, byte by byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int

    async def send(self, data: bytes) -> None:
        """Write, and wait until the socket has room."""
        self.writer.write(data)
        await self.writer.drain()

    async def ask(
        self, target: str = "/v1/messages", body: bytes = b"", fields: bytes = b"", *, method: bytes = b"POST"
    ) -> None:
        """A request below the anthropic prefix, with its length."""
        await self.send(
            b"%s /%s/anthropic%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sContent-Length: %d\r\n\r\n%s"
            % (method, TOKEN.encode(), target.encode(), self.port, fields, len(body), body)
        )

    async def hook(self, fields: bytes, body: bytes = b"") -> None:
        """A hook of Claude Code, with these framing fields."""
        line = b"POST /hooks/claude HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % self.port
        await self.send(line + b"X-Promptster-Token: %s\r\n%s\r\n%s" % (TOKEN.encode(), fields, body))

    async def refusal(self) -> tuple[int, str]:
        """The status and code of a refusal that ends the connection; its form is checked here."""
        head, _, body = (await self.rest()).partition(b"\r\n\r\n")
        assert b"\r\nConnection: close" in head
        error = json.loads(body)["error"]
        assert error["message"].startswith("promptster: ")
        return int(head.split(b" ")[1]), error["code"]

    async def head(self) -> bytes:
        """The next response's head, as it came."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def answer(self) -> tuple[bytes, bytes]:
        """The next response's head and its body of known length."""
        head = await self.head()
        match = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        return head, await self.reader.readexactly(int(match[1]) if match else 0)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection; a reset raises."""
        return await self.reader.read()

    def leave(self) -> None:
        """Hang up."""
        self.writer.transport.abort()


@dataclass
class Proxied:
    """A proxy that serves, and what it reported."""

    proxy: ReverseProxy
    port: int
    seen: list[Seen]
    hooks: list[tuple[str, bytes]]
    faults: list[Exception]
    agents: list[Agent]
    refused_hooks: list[tuple[str, int, bytes]] = field(default_factory=list[tuple[str, int, bytes]])

    async def connect(self) -> Agent:
        """A new connection of an agent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.agents.append(Agent(reader, writer, self.port))
        return self.agents[-1]

    async def settled(self) -> Seen:
        """The newest exchange, once it is over."""
        await until(lambda: 0 < len(self.seen) == self.proxy.stats.requests)
        await self.seen[-1].over.wait()
        return self.seen[-1]

    def buffered(self) -> int:
        """The most bytes that any of the proxy's connections holds back for its socket now."""
        held = [one._transport for one in self.proxy._agents] + [one._transport for one in self._to_providers()]
        return max((transport.get_write_buffer_size() for transport in held if transport is not None), default=0)

    def _to_providers(self) -> set[ProviderConnection]:
        return self.proxy._pool._open

    def narrow(self) -> None:
        """Let the system hold next to nothing on the way to agents, and the proxy up to a mebibyte instead."""
        for one in self.proxy._agents:
            assert one._transport is not None
            one._transport.set_write_buffer_limits(1024 * 1024)
            one._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    def agents_connected(self, *, authenticated: bool = False) -> int:
        """How many connections of agents are open; with ``authenticated``, of those that presented the token."""
        return sum(one.authenticated or not authenticated for one in self.proxy._agents)

    def providers_connected(self) -> int:
        """How many connections to providers are open."""
        return len(self._to_providers())

    def sent_ahead(self) -> list[int]:
        """How many bytes after their current request the agents' connections hold, if reading has stopped."""
        return [len(one._buffer) for one in self.proxy._agents if one._too_far_ahead]

    def undelivered(self) -> int:
        """How many observations have yet to be delivered."""
        return len(self.proxy._queue._items)

    def reuses_addresses(self) -> bool:
        """Whether the socket that accepts agents would share its port."""
        assert self.proxy._server is not None
        return bool(self.proxy._server.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))


@asynccontextmanager
async def proxied(
    *upstreams: Upstream,
    network: Network | None = None,
    limits: Limits | None = None,
    timing: Timing | None = None,
    on_hook: Callable[[str, bytes], None] | None = None,
    observe: Callable[[RequestInfo], Observer] = Seen,
) -> AsyncGenerator[Proxied]:
    """Serve a proxy on an ephemeral port; at the end every exchange must have been reported to its end, once."""
    seen: list[Seen] = []
    hooks: list[tuple[str, bytes]] = []
    faults: list[Exception] = []
    refused: list[tuple[str, int, bytes]] = []

    def open_observer(info: RequestInfo) -> Observer:
        observer = observe(info)
        if isinstance(observer, Seen):
            seen.append(observer)
        return observer

    proxy = ReverseProxy(
        token=TOKEN,
        upstreams={upstream.name: upstream for upstream in upstreams},
        open_observer=open_observer,
        hook_agents={"claude"},
        on_hook=on_hook or (lambda agent, payload: hooks.append((agent, payload))),
        network=network,
        on_fault=faults.append,
        on_hook_refused=lambda agent, size, beginning: refused.append((agent, size, beginning)),
        limits=limits,
        timing=timing,
    )
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    await proxy.serve(sock)
    state = Proxied(proxy, port, seen, hooks, faults, [], refused)
    try:
        yield state
    finally:
        for agent in state.agents:
            agent.writer.close()
            with contextlib.suppress(OSError):
                await agent.writer.wait_closed()
        await proxy.aclose()
        await _handed_over()
    assert all(len(one.endings) == 1 for one in seen)
    stats = proxy.stats
    assert stats.requests == stats.complete + stats.cut_by_agent + stats.cut_by_provider + stats.failed
