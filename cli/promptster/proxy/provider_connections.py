"""Connections to providers: one asyncio protocol each, and a small pool of idle ones per upstream."""

from __future__ import annotations

import asyncio
import select
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster.proxy.connecting import dial, tls_context

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from promptster.network import Network
    from promptster.proxy.exchange import Exchange
    from promptster.proxy.observation import Outcome
    from promptster.proxy.upstreams import Upstream


class _CutOffError(ConnectionAbortedError):
    """The connection ended before the provider said so."""

    def __init__(self) -> None:
        super().__init__("it was cut off")


@dataclass
class Stats:
    """Counts since the forwarder was made."""

    requests: int = 0
    """Requests that passed the gate towards an upstream."""
    hooks: int = 0
    """Hook payloads taken."""
    refused: int = 0
    """Requests that the gate refused."""
    complete: int = 0
    """Exchanges that ended well."""
    cut_by_provider: int = 0
    """Exchanges that the provider broke off."""
    cut_by_agent: int = 0
    """Exchanges that the agent broke off."""
    failed: int = 0
    """Exchanges that never got an answer."""
    dialled: int = 0
    """Connections opened to providers."""
    missed_bytes: int = 0
    """Payload bytes that were forwarded and that no observer saw."""

    def ended(self, outcome: Outcome) -> None:
        """Count one exchange."""
        setattr(self, outcome, getattr(self, outcome) + 1)


class ProviderConnection(asyncio.Protocol):
    """One connection to one upstream."""

    def __init__(self, pool: ProviderPool, upstream: Upstream) -> None:
        """Belong to ``pool``."""
        self.upstream = upstream
        self.gone = False
        """Whether the provider has closed it, or we have."""
        self.full = False
        """Whether writing has to wait."""
        self.uses = 0
        """How many exchanges have used it."""
        self.idle_since = 0.0
        """Loop time of its return to the pool."""
        self._pool = pool
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport | None = None

    def begin(self, exchange: Exchange) -> None:
        """Carry this exchange from now on."""
        self._exchange = exchange
        self.uses += 1

    def end(self) -> None:
        """Carry no exchange."""
        self._exchange = None

    def write(self, data: bytes) -> None:
        """Send, or queue when the socket is full."""
        if self._transport is not None:
            self._transport.write(data)

    def hold(self, reading: bool) -> None:  # noqa: FBT001 - mirrors asyncio's flow control
        """Stop or go on reading."""
        if self._transport is not None and not self.gone:
            if reading:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once."""
        self.gone = True
        if self._transport is not None:
            self._transport.abort()

    def alive(self) -> bool:
        """Whether nothing, not even an end, has arrived on this idle connection."""
        if self.gone or self._transport is None or self._transport.is_closing():
            return False
        look = select.poll()
        look.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not look.poll(0)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._pool.connected(self)

    def data_received(self, data: bytes) -> None:
        """Hand response bytes over; bytes that nobody asked for end the connection."""
        if self._exchange is not None:
            self._exchange.from_provider(data)
        else:
            self.abort()

    def eof_received(self) -> None:
        """The provider will send no more, or somebody on the way says so in its name."""
        self._lost(None if self._ended_by_provider() else _CutOffError())

    def _ended_by_provider(self) -> bool:
        """Whether the end is the provider's own: anyone on the way can close what lies below TLS."""
        tls = self._transport and self._transport.get_extra_info("ssl_object")
        if not isinstance(tls, ssl.SSLObject):
            return True
        try:
            return not tls.read(1)
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed; without an end before, it was cut."""
        self._lost(exc or _CutOffError())
        self._pool.disconnected(self)

    def _lost(self, exc: Exception | None) -> None:
        self.gone = True
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.provider_lost(exc)

    def pause_writing(self) -> None:
        """The socket is full."""
        self.full = True
        if self._exchange is not None:
            self._exchange.provider_full(True)

    def resume_writing(self) -> None:
        """The socket takes bytes again."""
        self.full = False
        if self._exchange is not None:
            self._exchange.provider_full(False)


class ProviderPool:
    """Opens connections and keeps a few idle ones; the newest is used first."""

    def __init__(self, network: Network, *, connect_timeout_s: float, idle_s: float, max_idle: int) -> None:
        """Keep at most ``max_idle`` connections per upstream for at most ``idle_s`` seconds each."""
        self.stats = Stats()
        self._network = network
        self._connect_timeout_s = connect_timeout_s
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._idle: dict[str, list[ProviderConnection]] = {}
        self._open: set[ProviderConnection] = set()
        self._dialling: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def run(self, dialling: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run the opening of a connection beside everything else, for no longer than the pool."""
        task = self._loop.create_task(dialling)
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)
        return task

    async def open(self, upstream: Upstream) -> ProviderConnection:
        """A new connection.

        Raises:
            UnreachableError: with the reason.
        """
        if upstream.tls and self._context is None:
            self._context = tls_context(self._network)
        self.stats.dialled += 1
        return await dial(
            lambda: ProviderConnection(self, upstream),
            upstream,
            self._network,
            context=self._context,
            timeout_s=self._connect_timeout_s,
        )

    def take(self, upstream: Upstream) -> ProviderConnection | None:
        """An idle connection that is alive, if there is one."""
        idle = self._idle.get(upstream.name)
        while idle:
            connection = idle.pop()
            if self._loop.time() - connection.idle_since < self._idle_s and connection.alive():
                return connection
            connection.abort()
        return None

    def give_back(self, connection: ProviderConnection) -> None:
        """Keep a connection for the next exchange."""
        idle = self._idle.setdefault(connection.upstream.name, [])
        if len(idle) >= self._max_idle or connection.gone:
            connection.abort()
            return
        connection.hold(False)
        connection.idle_since = self._loop.time()
        idle.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._idle_s, self._expire)

    def _expire(self) -> None:
        oldest = self._loop.time() - self._idle_s
        for idle in self._idle.values():
            while idle and idle[0].idle_since <= oldest:
                idle.pop(0).abort()
        left = any(self._idle.values())
        self._sweep = self._loop.call_later(self._idle_s / 2, self._expire) if left else None

    def connected(self, connection: ProviderConnection) -> None:
        """A connection came up."""
        self._open.add(connection)

    def disconnected(self, connection: ProviderConnection) -> None:
        """A connection is closed."""
        self._open.discard(connection)
        idle = self._idle.get(connection.upstream.name)
        if idle and connection in idle:
            idle.remove(connection)
        if not self._open:
            self._emptied.set()

    async def aclose(self) -> None:
        """Close every connection and wait until they are closed."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        for task in self._dialling:
            task.cancel()
        await asyncio.gather(*self._dialling, return_exceptions=True)
        for connection in tuple(self._open):
            connection.abort()
        while self._open:
            self._emptied.clear()
            await self._emptied.wait()
