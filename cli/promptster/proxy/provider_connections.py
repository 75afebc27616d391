"""Connections to providers: one asyncio protocol each, and a small pool of idle ones per upstream."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Coroutine

from typing_extensions import override

from promptster.network import Network
from promptster.proxy.connecting import connect, tls_context
from promptster.proxy.interfaces import ResponseHandler
from promptster.proxy.limits import Limits, Timing
from promptster.proxy.stats import Stats
from promptster.proxy.upstreams import Upstream


class _CutOffError(ConnectionAbortedError):
    """The connection ended without a proper close by the provider."""

    def __init__(self) -> None:
        super().__init__("it was cut off")


class ProviderConnection(asyncio.Protocol):
    """One connection to one upstream."""

    def __init__(self, pool: ProviderPool, upstream: Upstream) -> None:
        """Belong to ``pool``."""
        self.upstream = upstream
        self.closed = False
        """Whether the provider has closed it, or the proxy has."""
        self.writable = True
        """Whether the provider's socket takes more bytes."""
        self.uses = 0
        """How many exchanges have used it."""
        self.idle_since = 0.0
        """Loop time of its return to the pool."""
        self._pool = pool
        self._handler: ResponseHandler | None = None
        self._transport: asyncio.Transport | None = None

    def attach(self, handler: ResponseHandler) -> None:
        """Give response bytes to this handler from now on."""
        self._handler = handler
        self.uses += 1

    def detach(self) -> None:
        """Give response bytes to nobody."""
        self._handler = None

    def write(self, data: bytes) -> None:
        """Send, or queue when the socket is full."""
        if self._transport is not None:
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Stop reading."""
        if self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Continue to read."""
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def is_usable(self) -> bool:
        """Whether nothing has arrived on this idle connection, not even its end."""
        if self.closed or self._transport is None or self._transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    # asyncio.Protocol

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._pool.connection_opened(self)

    @override
    def data_received(self, data: bytes) -> None:
        if self._handler is not None:
            self._handler.response_received(data)
        else:
            self.abort()  # no request asked for these bytes

    @override
    def eof_received(self) -> None:
        self._disconnected(None if self._closed_by_provider() else _CutOffError())

    def _closed_by_provider(self) -> bool:
        """Whether the end is the provider's own: below TLS, anyone on the way can close the connection."""
        tls = self._transport and self._transport.get_extra_info("ssl_object")
        if not isinstance(tls, ssl.SSLObject):
            return True
        try:
            return not tls.read(1)
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._disconnected(exc or _CutOffError())
        self._pool.connection_closed(self)

    def _disconnected(self, exc: Exception | None) -> None:
        self.closed = True
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.provider_disconnected(exc)

    @override
    def pause_writing(self) -> None:
        self.writable = False
        if self._handler is not None:
            self._handler.pause_request()

    @override
    def resume_writing(self) -> None:
        self.writable = True
        if self._handler is not None:
            self._handler.resume_request()


class ProviderPool:
    """Opens connections and keeps a few idle ones; the newest is used first."""

    def __init__(self, network: Network, *, limits: Limits, timing: Timing) -> None:
        """Make an empty pool."""
        self.stats = Stats()
        self._network = network
        self._limits = limits
        self._timing = timing
        self._idle: dict[str, list[ProviderConnection]] = {}
        self._open: set[ProviderConnection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._all_closed: asyncio.Event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def run(self, connecting: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run the opening of a connection in the background; it is cancelled when the pool closes."""
        task = self._loop.create_task(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return task

    async def open(self, upstream: Upstream) -> ProviderConnection:
        """A new connection.

        Raises:
            ProviderUnreachableError: with the reason.
        """
        if upstream.tls and self._context is None:
            self._context = tls_context(self._network)
        self.stats.connected += 1
        return await connect(
            lambda: ProviderConnection(self, upstream),
            upstream,
            self._network,
            context=self._context,
            timeout_s=self._timing.connect_s,
        )

    def take(self, upstream: Upstream) -> ProviderConnection | None:
        """A usable idle connection, if there is one."""
        idle = self._idle.get(upstream.name)
        while idle:
            connection = idle.pop()
            if self._loop.time() - connection.idle_since < self._timing.idle_s and connection.is_usable():
                return connection
            connection.abort()
        return None

    def give_back(self, connection: ProviderConnection) -> None:
        """Keep a connection for the next exchange."""
        idle = self._idle.setdefault(connection.upstream.name, [])
        if len(idle) >= self._limits.idle_connections or connection.closed:
            connection.abort()
            return
        connection.resume_reading()
        connection.idle_since = self._loop.time()
        idle.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._timing.idle_s, self._expire)

    def _expire(self) -> None:
        oldest = self._loop.time() - self._timing.idle_s
        for idle in self._idle.values():
            while idle and idle[0].idle_since <= oldest:
                idle.pop(0).abort()
        left = any(self._idle.values())
        self._sweep = self._loop.call_later(self._timing.idle_s / 2, self._expire) if left else None

    def connection_opened(self, connection: ProviderConnection) -> None:
        """Count a connection in."""
        self._open.add(connection)

    def connection_closed(self, connection: ProviderConnection) -> None:
        """Count a connection out."""
        self._open.discard(connection)
        idle = self._idle.get(connection.upstream.name)
        if idle and connection in idle:
            idle.remove(connection)
        if not self._open:
            self._all_closed.set()

    async def aclose(self) -> None:
        """Close every connection and wait until they are closed."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in tuple(self._open):
            connection.abort()
        while self._open:
            self._all_closed.clear()
            await self._all_closed.wait()
