"""The forwarder: accepts agents on a loopback socket, forwards to the provider first, lets observers see it behind."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from promptster.errors import ConfigurationError
from promptster.network import Network
from promptster.proxy.agent_connection import AgentConnection
from promptster.proxy.exchange import Exchange
from promptster.proxy.http1 import RequestHead
from promptster.proxy.observation import (
    Headers,
    ObservationQueue,
    Observer,
    Outcome,
    RequestInfo,
    Watch,
    part,
)
from promptster.proxy.provider_connections import ProviderPool, Stats
from promptster.proxy.routing import Gate, Route
from promptster.proxy.upstreams import DEFAULT_UPSTREAMS, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "DEFAULT_UPSTREAMS",
    "Forwarder",
    "Headers",
    "Limits",
    "Observer",
    "Outcome",
    "PathCheck",
    "RequestInfo",
    "Stats",
    "Upstream",
    "WallClock",
    "check_path",
]

_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 128
_BEFORE_HOOK_S: Final = 0.01
"""Seconds that a hook may wait for observers; it is answered within 50 ms."""


class WallClock(Protocol):
    """The one reading of time that a request is stamped with."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...


class _SystemWallClock:
    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one forwarder."""

    observed_bytes: int = 64 * 1024 * 1024
    """Payload held for observers at any time; what does not fit is missed and counted."""
    connections: int = 512
    """Agents' connections at a time; beyond them the oldest that never showed the token is closed."""
    head_timeout_s: float = 30.0
    """Seconds for a request head to arrive whole."""
    connect_timeout_s: float = 30.0
    """Seconds to reach a provider, TLS included."""
    idle_s: float = 60.0
    """Seconds that an unused connection to a provider is kept."""
    max_idle: int = 8
    """Unused connections kept per upstream."""


class Forwarder:
    """A reverse proxy for a fixed table of providers, guarded by a token, watched by observers."""

    def __init__(
        self,
        *,
        token: str,
        upstreams: Mapping[str, Upstream],
        open_observer: Callable[[RequestInfo], Observer],
        on_hook: Callable[[str, bytes], None],
        network: Network | None = None,
        clock: WallClock | None = None,
        on_fault: Callable[[Exception], None] | None = None,
        on_hook_refused: Callable[[str, int, bytes], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Make a forwarder; it must be made and used within one running event loop.

        Args:
            token: the secret that every request shows, ASCII.
            upstreams: where requests may go, by path prefix.
            open_observer: makes the observer of one exchange; called on the loop.
            on_hook: takes an agent's name and a hook's payload; called on the loop, before the hook is answered.
            network: how providers are reached; directly by default.
            clock: stamps requests; the system's by default.
            on_fault: told what observers and ``on_hook`` raised; forwarding goes on.
            on_hook_refused: told of a hook whose payload was too long: agent, bytes as far as known, the first of them.
            limits: bounds other than the usual ones.
        """
        self.limits = limits or Limits()
        self.head_timeout_s = self.limits.head_timeout_s
        self._token = token
        self._upstreams = dict(upstreams)
        self._open_observer = open_observer
        self._on_hook = on_hook
        self._on_hook_refused = on_hook_refused
        self._clock: WallClock = clock or _SystemWallClock()
        self._on_fault = on_fault
        self._queue = ObservationQueue(limit_bytes=self.limits.observed_bytes, on_fault=self._fault)
        self._pool = ProviderPool(
            network or Network(),
            connect_timeout_s=self.limits.connect_timeout_s,
            idle_s=self.limits.idle_s,
            max_idle=self.limits.max_idle,
        )
        self._agents: dict[AgentConnection, None] = {}
        self._all_left = asyncio.Event()
        self._closing = False
        self._server: asyncio.Server | None = None
        self.gate = Gate(token=token, port=0, upstreams=())

    @property
    def stats(self) -> Stats:
        """A copy of the counts so far."""
        return replace(self._pool.stats, missed_bytes=self._queue.missed_bytes)

    def tell_observers(self) -> None:
        """Let observers see now everything that was forwarded so far."""
        self._queue.flush()

    async def serve(self, sock: socket.socket) -> None:
        """Accept agents on a bound socket from now on; returns at once.

        Raises:
            ConfigurationError: when the socket is not bound to 127.0.0.1.
        """
        address = sock.getsockname()
        if sock.family != socket.AF_INET or address[0] != _LOOPBACK or not address[1]:
            raise ConfigurationError("the proxy's socket must be bound to 127.0.0.1")
        self.gate = Gate(token=self._token, port=address[1], upstreams=self._upstreams)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: AgentConnection(self), sock=sock, backlog=_BACKLOG)

    async def aclose(self) -> None:
        """Stop accepting, cut what is under way, and tell observers everything that is still queued."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._agents):
            connection.abort()
        while self._agents:
            self._all_left.clear()
            await self._all_left.wait()
        await self._pool.aclose()
        self._queue.flush()

    def _fault(self, exc: Exception) -> None:
        if self._on_fault is not None:
            with contextlib.suppress(Exception):
                self._on_fault(exc)

    # what a connection needs (agent_connection.House)

    def arrived(self, connection: AgentConnection) -> None:
        """Count a connection in, and make room when there are too many; one that comes at the very end goes at once."""
        if len(self._agents) >= self.limits.connections:
            oldest = next((one for one in self._agents if not one.proven), connection)
            oldest.abort()
        self._agents[connection] = None
        if self._closing:
            connection.abort()

    def left(self, connection: AgentConnection) -> None:
        """Count a connection out."""
        self._agents.pop(connection, None)
        if not self._agents:
            self._all_left.set()

    def refused(self) -> None:
        """Count a refusal."""
        self._pool.stats.refused += 1

    def exchange(self, connection: AgentConnection, head: RequestHead, route: Route) -> Exchange:
        """Make the exchange of an admitted request, watched from its first byte."""
        upstream = self._upstreams[route.upstream or ""]
        self._pool.stats.requests += 1
        headers, credentials = part(head.fields)
        info = RequestInfo(
            upstream=upstream.name,
            method=head.method.decode("latin-1"),
            target=route.target.decode("latin-1"),
            headers=headers,
            received_ms=self._clock.wall_ms(),
            credentials=credentials | {self._token.encode()},
        )
        watch = Watch(self._queue, self._open_observer, info)
        return Exchange(connection, head=head, upstream=upstream, target=route.target, pool=self._pool, watch=watch)

    def hook(self, agent: str, payload: bytes) -> None:
        """Hand a hook's payload over, behind what was forwarded before it as far as time allows."""
        self._pool.stats.hooks += 1
        self._queue.catch_up(_BEFORE_HOOK_S)
        try:
            self._on_hook(agent, payload)
        except Exception as exc:  # noqa: BLE001 - the agent's hook is answered whatever happens to us
            self._fault(exc)

    def hook_refused(self, agent: str, size: int, beginning: bytes) -> None:
        """Say that a hook's payload was too long to be taken."""
        if self._on_hook_refused is not None:
            try:
                self._on_hook_refused(agent, size, beginning)
            except Exception as exc:  # noqa: BLE001 - likewise
                self._fault(exc)


@dataclass(frozen=True, kw_only=True)
class PathCheck:
    """Whether a provider can be reached through the proxy."""

    ok: bool
    """Whether any HTTP answer of the provider came back."""
    status: int | None
    """That answer's status."""
    reason: str
    """Why there was none, for people; empty when there was one."""


class _PathObserver:
    """Keeps what became of the one request."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.reason = ""

    def request_body(self, data: bytes) -> None:
        """Not of interest."""

    def request_end(self) -> None:
        """Not of interest."""

    def response_head(self, status: int, headers: Headers) -> None:
        """The proof."""
        del headers
        self.status = status

    def response_body(self, data: bytes) -> None:
        """Not of interest."""

    def missed(self, count_bytes: int) -> None:
        """Not of interest."""

    def finished(self, outcome: Outcome, detail: str) -> None:
        """The reason, should there be no proof."""
        self.reason = self.reason or (detail if outcome != "complete" else "")


async def check_path(upstream: Upstream, network: Network | None = None, *, timeout_s: float = 20.0) -> PathCheck:
    """Send one unauthenticated request through a forwarder of its own; any status of the provider proves the path."""
    token = secrets.token_urlsafe(32)
    seen = _PathObserver()
    limits = Limits(connect_timeout_s=timeout_s * 0.75)
    forwarder = Forwarder(
        token=token,
        upstreams={upstream.name: upstream},
        open_observer=lambda _info: seen,
        on_hook=lambda _agent, _payload: None,
        network=network,
        limits=limits,
    )
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((_LOOPBACK, 0))
        port = sock.getsockname()[1]
        await forwarder.serve(sock)
        try:
            async with asyncio.timeout(timeout_s):
                await _ask(port, f"/{token}/{upstream.name}/")
        except TimeoutError:
            seen.reason = f"{upstream.host} did not answer in time"
        finally:
            await forwarder.aclose()
    return PathCheck(ok=seen.status is not None, status=seen.status, reason="" if seen.status else seen.reason)


async def _ask(port: int, target: str) -> None:
    reader, writer = await asyncio.open_connection(_LOOPBACK, port)
    request = f"GET {target} HTTP/1.1\r\nHost: {_LOOPBACK}:{port}\r\nAccept: */*\r\nUser-Agent: promptster\r\n\r\n"
    try:
        writer.write(request.encode())
        await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
