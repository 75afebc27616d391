"""Connections from agents: requests are served one after the other, and each response ends as it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from typing_extensions import override

from promptster.proxy.closing import all_sent, reset_on_close
from promptster.proxy.hook_receiver import HookReceiver, HookSink
from promptster.proxy.http1 import MessageRefusedError, RequestHead, head_end, read_request
from promptster.proxy.interfaces import AgentWriter, RequestHandler
from promptster.proxy.limits import Limits, Timing
from promptster.proxy.responses import error_response
from promptster.proxy.routing import HookRoute, Router, UpstreamRoute

_HEAD: Final = b"HEAD "


class ConnectionOwner(HookSink, Protocol):
    """What a connection needs from the proxy that accepted it."""

    router: Router
    limits: Limits
    timing: Timing

    def connection_opened(self, connection: AgentConnection) -> None:
        """Count a connection in."""
        ...

    def connection_closed(self, connection: AgentConnection) -> None:
        """Count a connection out."""
        ...

    def request_refused(self) -> None:
        """Count a refused request."""
        ...

    def open_exchange(self, connection: AgentWriter, head: RequestHead, route: UpstreamRoute) -> RequestHandler:
        """Make what forwards a routed request."""
        ...


def _unconnected(data: bytes) -> None:
    """Drop bytes for a connection that is not established yet."""
    del data


class AgentConnection(asyncio.Protocol, AgentWriter):
    """One connection from an agent, or from any other program on this machine."""

    def __init__(self, owner: ConnectionOwner) -> None:
        """Serve requests for ``owner``."""
        self.writable = True
        self.write: Callable[[bytes], None] = _unconnected
        self.authenticated = False
        """Whether a request with the right token came over it."""
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._searched = 0
        self._handler: RequestHandler | None = None
        self._to_head = False
        self._discarding = False
        self._too_far_ahead = False
        self._request_paused = False
        self._ends_by_close = False
        self._timer: asyncio.TimerHandle | None = None

    def abort(self) -> None:
        """Close at once."""
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.stop()
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport, self.write = transport, transport.write
            self._owner.connection_opened(self)

    @override
    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        handler = self._handler
        if handler is not None and not handler.request.done:
            data = handler.request_received(data)
            if not data:
                return
        self._buffer += data
        if self._handler is None:
            self._serve()
        elif len(self._buffer) > self._owner.limits.pipelined_bytes:
            self._too_far_ahead = True
            self._control_reading()

    @override
    def eof_received(self) -> None:
        # An agent that will send no more has gone.
        self._disconnected()
        if self._transport is not None and not self._discarding:
            self._transport.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._disconnected()
        self._stop_timer()
        self._owner.connection_closed(self)

    def _disconnected(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.agent_disconnected()

    @override
    def pause_writing(self) -> None:
        self.writable = False
        if self._handler is not None:
            self._handler.pause_response()

    @override
    def resume_writing(self) -> None:
        self.writable = True
        if self._handler is not None:
            self._handler.resume_response()

    @override
    def pause_request(self) -> None:
        if not self._request_paused:
            self._request_paused = True
            self._control_reading()

    @override
    def resume_request(self) -> None:
        if self._request_paused:
            self._request_paused = False
            self._control_reading()

    def _control_reading(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._too_far_ahead or self._request_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # requests

    def _serve(self) -> None:
        """Begin each request whose head is complete, one after the other."""
        while self._handler is None and self._buffer and not self._discarding:
            self._to_head = self._buffer.startswith(_HEAD)
            try:
                end = head_end(self._buffer, self._searched)
                if not end:
                    self._searched = len(self._buffer)
                    self._start_timer()
                    return
                head = read_request(bytes(self._buffer[:end]))
                route = self._owner.router.route(head)
            except MessageRefusedError as exc:
                self._owner.request_refused()
                self.refuse(exc)
                return
            self._begin(head, route, end)

    def _begin(self, head: RequestHead, route: UpstreamRoute | HookRoute, end: int) -> None:
        self.authenticated = True
        self._stop_timer()
        data = bytes(self._buffer[end:])
        self._buffer.clear()
        self._searched = 0
        match route:
            case HookRoute(agent):
                max_bytes = self._owner.limits.hook_bytes
                self._handler = HookReceiver(self, self._owner, head=head, agent=agent, max_bytes=max_bytes)
            case UpstreamRoute():
                self._handler = self._owner.open_exchange(self, head, route)
        self._buffer += self._handler.start(data)

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._owner.timing.head_s, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self._owner.request_refused()
        self.refuse(MessageRefusedError(408, "head_timeout", "the request head did not arrive in time"))

    # the end of a response or of the connection

    @override
    def ends_by_close(self) -> None:
        # Until the response is complete, even the system must not close properly if this process is killed.
        self._ends_by_close = True
        if self._transport is not None and not self._transport.is_closing():
            reset_on_close(self._transport, on=True)

    @override
    def response_complete(self, *, close: bool, drain: bool) -> None:
        self._handler = None
        self._too_far_ahead = self._request_paused = False
        if close:
            self._finish(drain=drain)
            return
        self._control_reading()
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._serve)

    @override
    def refuse(self, error: MessageRefusedError) -> None:
        self._handler = None
        if self._transport is None or self._transport.is_closing():
            return
        self.write(error_response(error.status, error.code, error.reason, to_head=self._to_head))
        self._finish(drain=True)

    @override
    def cut(self, *, reset: bool, drain: bool) -> None:
        self._handler = None
        if self._transport is None or self._transport.is_closing():
            return
        if not reset and not self._ends_by_close:
            self._finish(drain=drain)
            return
        self._discard_requests()
        self._reset()

    def _reset(self) -> None:
        """Reset the connection after everything was sent, because a reset discards bytes that wait to be sent."""
        self._stop_timer()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if all_sent(transport):
            reset_on_close(transport, on=True)
            transport.abort()
        else:
            self._timer = asyncio.get_running_loop().call_later(self._owner.timing.reset_check_s, self._reset)

    def _discard_requests(self) -> None:
        """Keep reading, but drop everything."""
        self._discarding = True
        self._buffer.clear()
        self._too_far_ahead = self._request_paused = False
        self._control_reading()

    def _finish(self, *, drain: bool) -> None:
        """Close after everything was sent.

        Closing a socket with unread bytes resets the connection, and a reset may discard the response: while the agent
        is still sending, its bytes are read and dropped for a while.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._ends_by_close:
            reset_on_close(transport, on=False)
        self._discard_requests()
        if not drain:
            transport.close()
            return
        transport.write_eof()
        self._drain()

    def _drain(self) -> None:
        """Wait for the agent to close; an agent that reads slowly still receives everything."""
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._owner.timing.drain_s, self._drained)

    def _drained(self) -> None:
        self._timer = None
        if self._transport is None:
            return
        if all_sent(self._transport):
            self._transport.abort()
        else:
            self._drain()
