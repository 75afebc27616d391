"""Connections from agents: gate, keep-alive, hooks, and the ways in which a connection can end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from promptster.proxy.closing import is_sent, reset_on_close
from promptster.proxy.exchange import Exchange, request_body
from promptster.proxy.framing import Body, FramingError
from promptster.proxy.http1 import RefusedError, RequestHead, head_end, read_request
from promptster.proxy.responses import error_answer, hook_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptster.proxy.routing import Gate, Route

MAX_HOOK_BYTES: Final = 16 * 1024 * 1024
"""A hook payload longer than this is refused and told; twice the longest value, for JSON escapes and the rest."""
_PIPELINED_LIMIT: Final = 64 * 1024
_LINGER_S: Final = 5.0
_RESET_S: Final = 0.05
"""Seconds between two looks whether all is sent that stands before a reset; no event tells."""


class House(Protocol):
    """What a connection needs from the forwarder."""

    gate: Gate
    head_timeout_s: float

    def arrived(self, connection: AgentConnection) -> None:
        """A connection came in."""
        ...

    def left(self, connection: AgentConnection) -> None:
        """A connection is closed."""
        ...

    def refused(self) -> None:
        """A request was refused."""
        ...

    def exchange(self, connection: AgentConnection, head: RequestHead, route: Route) -> Exchange:
        """Make the exchange of an admitted request."""
        ...

    def hook(self, agent: str, payload: bytes) -> None:
        """Take a hook's payload; raises nothing."""
        ...

    def hook_refused(self, agent: str, size: int, beginning: bytes) -> None:
        """Hear of a payload that was too long: its size as far as known, its first bytes; raises nothing."""
        ...


class HookIntake:
    """Collects one hook's payload, hands it over and answers."""

    def __init__(self, connection: AgentConnection, house: House, head: RequestHead, agent: str) -> None:
        """Expect the payload."""
        self.request: Body = request_body(head)
        self._connection = connection
        self._house = house
        self._agent = agent
        self._close = head.close
        self._expects = any(value.lower() == b"100-continue" for value in head.values(b"expect"))
        self._announced = 0 if head.chunked else head.length
        self._too_long = self._announced > MAX_HOOK_BYTES
        self._parts: list[bytes] = []
        self._size = 0

    def start(self, data: bytes) -> bytes:
        """Take the payload's first bytes; return what lies behind it."""
        if self._too_long:
            self._refuse_size(self._announced, data)
            return b""
        if self.request.done:
            self._hand_over()
            return data
        if self._expects and not data:
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self.from_agent(data)

    def from_agent(self, data: bytes) -> bytes:
        """Take payload bytes; return those behind the payload's end."""
        try:
            _, payload, rest = self.request.feed(data)
        except FramingError as exc:
            self._refuse(400, "bad_framing", str(exc))
            return b""
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > MAX_HOOK_BYTES:
            self._refuse_size(self._size, next(part for part in self._parts if part))
        elif self.request.done:
            self._hand_over()
        return rest

    def _refuse_size(self, size: int, beginning: bytes) -> None:
        self._house.hook_refused(self._agent, size, beginning)
        self._refuse(413, "hook_too_large", "the hook's payload is too large")

    def _refuse(self, status: int, code: str, reason: str) -> None:
        self._parts.clear()
        self._connection.refuse(RefusedError(status, code, reason))

    def _hand_over(self) -> None:
        self._house.hook(self._agent, b"".join(self._parts))
        self._connection.write(hook_answer(close=self._close))
        self._connection.answered(close=self._close, drain=False)

    def agent_lost(self) -> None:
        """Half a payload is no payload."""
        self._parts.clear()

    def stop(self) -> None:
        """Likewise."""
        self._parts.clear()

    def agent_full(self, full: bool) -> None:  # noqa: FBT001 - mirrors asyncio's flow control
        """An answer of a few bytes needs no flow control."""


def _unconnected(data: bytes) -> None:
    """Drop bytes for a connection that has not come up."""
    del data


class AgentConnection(asyncio.Protocol):
    """One connection from an agent, or from whoever else on this machine connects."""

    def __init__(self, house: House) -> None:
        """Serve requests by the rules of ``house``."""
        self.full = False
        """Whether writing has to wait."""
        self.write: Callable[[bytes], None] = _unconnected
        """Sends bytes, or queues them when the socket is full."""
        self.proven = False
        """Whether a request with the right token came over it."""
        self._house = house
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._searched = 0
        self._exchange: Exchange | HookIntake | None = None
        self._to_head = False
        self._discarding = False
        self._pipelined = False
        self._provider_full = False
        self._open_ended = False
        self._timer: asyncio.TimerHandle | None = None

    def abort(self) -> None:
        """Close at once."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.stop()
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport, self.write = transport, transport.write
            self._house.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Request bytes, of this request or of the next."""
        if self._discarding:
            return
        exchange = self._exchange
        if exchange is not None and not exchange.request.done:
            data = exchange.from_agent(data)
            if not data:
                return
        self._buffer += data
        if self._exchange is None:
            self._serve()
        elif len(self._buffer) > _PIPELINED_LIMIT:
            self._pipelined = True
            self._flow()

    def eof_received(self) -> None:
        """An agent that will send no more has gone."""
        self._gone()
        if self._transport is not None and not self._discarding:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        del exc
        self._gone()
        self._stop_timer()
        self._house.left(self)

    def _gone(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.agent_lost()

    def pause_writing(self) -> None:
        """The agent does not read."""
        self.full = True
        if self._exchange is not None:
            self._exchange.agent_full(True)

    def resume_writing(self) -> None:
        """The agent reads again."""
        self.full = False
        if self._exchange is not None:
            self._exchange.agent_full(False)

    def hold_for_provider(self, hold: bool) -> None:  # noqa: FBT001 - mirrors asyncio's flow control
        """The provider takes no more bytes for now, or takes them again."""
        if self._provider_full != hold:
            self._provider_full = hold
            self._flow()

    def _flow(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._pipelined or self._provider_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # requests

    def _serve(self) -> None:
        """Begin as many requests as are complete enough to begin, one after the other."""
        while self._exchange is None and self._buffer and not self._discarding:
            self._to_head = self._buffer.startswith(b"HEAD ")
            try:
                end = head_end(self._buffer, self._searched)
                if not end:
                    self._searched = len(self._buffer)
                    self._start_timer()
                    return
                head = read_request(bytes(self._buffer[:end]))
                route = self._house.gate.admit(head)
            except RefusedError as exc:
                self._house.refused()
                self.refuse(exc)
                return
            self._begin(head, route, end)

    def _begin(self, head: RequestHead, route: Route, end: int) -> None:
        self.proven = True
        self._stop_timer()
        data = bytes(self._buffer[end:])
        self._buffer.clear()
        self._searched = 0
        if route.upstream is None:
            exchange: Exchange | HookIntake = HookIntake(self, self._house, head, route.target.decode())
        else:
            exchange = self._house.exchange(self, head, route)
        self._exchange = exchange
        self._buffer += exchange.start(data)

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._house.head_timeout_s, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self._house.refused()
        self.refuse(RefusedError(408, "head_timeout", "the request's head did not arrive in time"))

    # ends

    def open_ended(self) -> None:
        """The answer has begun, and the agent would take a proper close for its end: until it is, there is none."""
        self._open_ended = True
        if self._transport is not None and not self._transport.is_closing():
            reset_on_close(self._transport, on=True)

    def answered(self, *, close: bool, drain: bool) -> None:
        """The response is complete.

        Args:
            close: whether the connection ends with it.
            drain: whether the agent is still sending its request.
        """
        self._exchange = None
        self._pipelined = self._provider_full = False
        if close:
            self._finish(drain=drain)
            return
        self._flow()
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._serve)

    def refuse(self, error: RefusedError) -> None:
        """Answer in our own name and close."""
        self._exchange = None
        if self._transport is None or self._transport.is_closing():
            return
        self.write(error_answer(error.status, error.code, error.reason, to_head=self._to_head))
        self._finish(drain=True)

    def cut(self, *, reset: bool, drain: bool) -> None:
        """Close without a proper end, as the provider did.

        Args:
            reset: whether the provider's connection was reset.
            drain: whether the agent is still sending its request.
        """
        self._exchange = None
        if self._transport is None or self._transport.is_closing():
            return
        if not reset and not self._open_ended:
            self._finish(drain=drain)
            return
        self._drop_requests()
        self._reset()

    def _reset(self) -> None:
        """Reset the connection behind the bytes that are still to be sent: by itself a reset takes them with it."""
        self._stop_timer()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if is_sent(transport):
            reset_on_close(transport, on=True)
            transport.abort()
        else:
            self._timer = asyncio.get_running_loop().call_later(_RESET_S, self._reset)

    def _drop_requests(self) -> None:
        """Read on, and drop what comes."""
        self._discarding = True
        self._buffer.clear()
        self._pipelined = self._provider_full = False
        self._flow()

    def _finish(self, *, drain: bool) -> None:
        """Close behind the bytes that are still to be sent.

        A socket closed with unread bytes is reset, and a reset may take the answer with it: while the agent is sending,
        its bytes are read and dropped for a while.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._open_ended:
            reset_on_close(transport, on=False)
        self._drop_requests()
        if not drain:
            transport.close()
            return
        transport.write_eof()
        self._linger()

    def _linger(self) -> None:
        """Wait for the agent to close; an agent that reads slowly gets all that is still to be sent."""
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(_LINGER_S, self._lingered)

    def _lingered(self) -> None:
        self._timer = None
        if self._transport is None:
            return
        if is_sent(self._transport):
            self._transport.abort()
        else:
            self._linger()
