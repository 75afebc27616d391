"""The reverse proxy: accepts agents on a loopback socket, forwards to providers, then reports to observers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final, Protocol

from typing_extensions import override

from promptster.errors import ConfigurationError
from promptster.network import Network
from promptster.proxy.agent_connection import AgentConnection, ConnectionOwner
from promptster.proxy.exchange import Exchange
from promptster.proxy.header_fields import split_credentials
from promptster.proxy.http1 import RequestHead
from promptster.proxy.interfaces import AgentWriter
from promptster.proxy.limits import Limits, Timing
from promptster.proxy.observation import Observer, RequestInfo
from promptster.proxy.observation_queue import ExchangeReporter, ObservationQueue
from promptster.proxy.provider_connections import ProviderPool
from promptster.proxy.routing import Router, UpstreamRoute
from promptster.proxy.stats import Stats
from promptster.proxy.upstreams import Upstream

LOOPBACK: Final = "127.0.0.1"
"""The only address that the proxy listens at."""
_BACKLOG: Final = 128


class WallClock(Protocol):
    """The clock that stamps each request."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...


class _SystemWallClock:
    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


class ReverseProxy(ConnectionOwner):
    """Forwards to a fixed table of providers; requires a token, and reports to observers."""

    def __init__(
        self,
        *,
        token: str,
        upstreams: Mapping[str, Upstream],
        open_observer: Callable[[RequestInfo], Observer],
        on_hook: Callable[[str, bytes], None],
        hook_agents: Collection[str] = (),
        network: Network | None = None,
        clock: WallClock | None = None,
        on_fault: Callable[[Exception], None] | None = None,
        on_hook_refused: Callable[[str, int, bytes], None] | None = None,
        limits: Limits | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Make a proxy; it must be made and used within one running event loop.

        Args:
            token: the secret that every request must present, ASCII.
            upstreams: where requests may go, by first path segment.
            open_observer: makes the observer of one exchange; called on the loop.
            on_hook: takes an agent's name and a hook's payload; called on the loop, before the hook is answered.
            hook_agents: agents whose hooks arrive by HTTP.
            network: how providers are reached; directly by default.
            clock: stamps requests; the system's by default.
            on_fault: takes each exception of an observer or of ``on_hook``; forwarding continues.
            on_hook_refused: takes each refused hook that was too large: agent, known size, first bytes.
            limits: sizes other than the default ones.
            timing: times other than the default ones.
        """
        self.limits = limits or Limits()
        self.timing = timing or Timing()
        self.router = Router(token=token, port=0, upstreams=(), hook_agents=())
        self._token = token
        self._upstreams = dict(upstreams)
        self._open_observer = open_observer
        self._on_hook = on_hook
        self._hook_agents = frozenset(hook_agents)
        self._on_hook_refused = on_hook_refused
        self._clock: WallClock = clock or _SystemWallClock()
        self._on_fault = on_fault
        self._queue = ObservationQueue(limits=self.limits, timing=self.timing, on_fault=self._fault)
        self._pool = ProviderPool(network or Network(), limits=self.limits, timing=self.timing)
        self._agents: dict[AgentConnection, None] = {}
        self._all_closed = asyncio.Event()
        self._closing = False
        self._server: asyncio.Server | None = None

    @property
    def stats(self) -> Stats:
        """A copy of the counts so far."""
        return replace(self._pool.stats, missed_bytes=self._queue.missed_bytes)

    def flush_observations(self) -> None:
        """Deliver to observers now everything that was forwarded so far."""
        self._queue.flush()

    async def serve(self, sock: socket.socket) -> None:
        """Accept agents on a bound socket from now on; returns at once.

        Raises:
            ConfigurationError: when the socket is not bound to 127.0.0.1.
        """
        address = sock.getsockname()
        if sock.family != socket.AF_INET or address[0] != LOOPBACK or not address[1]:
            raise ConfigurationError("the proxy's socket must be bound to 127.0.0.1")
        self.router = Router(
            token=self._token, port=address[1], upstreams=self._upstreams, hook_agents=self._hook_agents
        )
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: AgentConnection(self), sock=sock, backlog=_BACKLOG)

    async def aclose(self) -> None:
        """Stop accepting, cut the exchanges in progress, and deliver everything that is still queued to observers."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._agents):
            connection.abort()
        while self._agents:
            self._all_closed.clear()
            await self._all_closed.wait()
        await self._pool.aclose()
        self._queue.flush()

    def _fault(self, exc: Exception) -> None:
        if self._on_fault is not None:
            with contextlib.suppress(Exception):
                self._on_fault(exc)

    @override
    def connection_opened(self, connection: AgentConnection) -> None:
        if len(self._agents) >= self.limits.connections:
            oldest = next((one for one in self._agents if not one.authenticated), connection)
            oldest.abort()
        self._agents[connection] = None
        if self._closing:  # the system had accepted it before the server was closed
            connection.abort()

    @override
    def connection_closed(self, connection: AgentConnection) -> None:
        self._agents.pop(connection, None)
        if not self._agents:
            self._all_closed.set()

    @override
    def request_refused(self) -> None:
        self._pool.stats.refused += 1

    @override
    def open_exchange(self, connection: AgentWriter, head: RequestHead, route: UpstreamRoute) -> Exchange:
        upstream = self._upstreams[route.upstream]
        self._pool.stats.requests += 1
        headers, credentials = split_credentials(head.fields)
        info = RequestInfo(
            upstream=upstream.name,
            method=head.method.decode("latin-1"),
            target=route.target.decode("latin-1"),
            headers=headers,
            received_ms=self._clock.wall_ms(),
            credentials=credentials | {self._token.encode()},
        )
        return Exchange(
            connection,
            head=head,
            upstream=upstream,
            target=route.target,
            pool=self._pool,
            reporter=ExchangeReporter(self._queue, self._open_observer, info),
            early_request_bytes=self.limits.early_request_bytes,
        )

    @override
    def hook_received(self, agent: str, payload: bytes) -> None:
        self._pool.stats.hooks += 1
        # What was forwarded before the hook is observed before it, as far as time allows.
        self._queue.deliver_for(self.timing.before_hook_s)
        try:
            self._on_hook(agent, payload)
        except Exception as exc:  # noqa: BLE001 - the hook is answered whatever happens here
            self._fault(exc)

    @override
    def hook_too_large(self, agent: str, size: int, beginning: bytes) -> None:
        if self._on_hook_refused is not None:
            try:
                self._on_hook_refused(agent, size, beginning)
            except Exception as exc:  # noqa: BLE001 - likewise
                self._fault(exc)
