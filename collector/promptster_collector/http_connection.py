"""One HTTP connection, below the application: limits on what no route ever sees.

A request's head has at most 64 KiB and 100 fields, and ten seconds to arrive. A body, and a client that reads an
answer, must keep a pace that every network has. Invalid HTTP is answered with a problem document like any refusal.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from promptster_collector.connection_slots import SlotState
from promptster_collector.errors import PROBLEM_TYPE
from promptster_collector.problems import problem_bytes
from promptster_collector.web.headers import secured

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from promptster_collector.connection_slots import ConnectionSlot, ConnectionSlots

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request line with all its fields."""
MAX_FIELDS: Final = 100
"""Header fields of one request."""


class _HeadTooLargeError(ValueError):
    """Stops the parser in a request head that is too large."""


class HttpConnection(HttpToolsProtocol):
    """Uvicorn's connection with limits; invalid HTTP is answered with a problem document."""

    slots: ClassVar[ConnectionSlots | None] = None
    """The slots of the listener, if they are limited."""
    head_seconds = 10.0
    """Seconds in which a request's head must be complete."""
    patience = 30.0
    """Seconds in which an incomplete request must bring ``least`` bytes."""
    least = 16 * 1024
    """Bytes: half a kilobyte a second, which every network has."""
    _in_head = False
    """Whether a head is being received."""
    _arriving = True
    """Whether more of a request is expected; a new connection owes its first."""
    _head = 0
    _fields = 0
    _too_large = False
    _got = 0
    """Bytes since the last check of the request's pace."""
    _stalled: asyncio.TimerHandle | None = None
    _head_due: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _slot: ConnectionSlot | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request's head."""
        super().connection_made(transport)
        if self.slots is not None:
            self._slot = self.slots.of(transport)
        self._expect_head()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._stop_waiting()
        self._expect_no_head()
        self._stop_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive some bytes; refuse a head that is now too large."""
        self._got += len(data)
        if self._slot is not None:
            self._slot.received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            # Only what is left over here was not counted field by field.
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._refuse_head()
                return
        if not self._arriving:
            self._stop_waiting()
        elif self._stalled is None:
            self._wait()
        self._settle()

    def on_message_begin(self) -> None:
        """Start counting a request's head."""
        super().on_message_begin()
        self._in_head = self._arriving = True
        self._head = self._fields = 0
        if self._head_due is None:
            self._expect_head()

    def on_url(self, url: bytes) -> None:
        """Count a part of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count one field."""
        self._fields += 1
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop counting: the head is complete."""
        self._in_head = False
        self._expect_no_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._arriving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note that the request is answered, and that the answer must be read."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size() and self._unread is None:
            # So little that writing never paused: it has to be read too, even by a client that asks for nothing more.
            self._unread = self.loop.call_later(2 * self.patience, self._look_unread)
        self._settle()

    def pause_writing(self) -> None:
        """Give a client that reads too slowly some time, then close the connection."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(2 * self.patience, self._look_unread)
        self._settle()

    def resume_writing(self) -> None:
        """Note that the client is reading again."""
        self._stop_unread()
        super().resume_writing()
        self._settle()

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP with a problem document."""
        if self._too_large:
            self._refuse_head()
            return
        del msg  # uvicorn's own words
        self._refuse(HTTPStatus.BAD_REQUEST, "invalid_http", "this is not a valid HTTP request")

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD or self._fields > MAX_FIELDS:
            self._too_large = True
            raise _HeadTooLargeError

    def _refuse_head(self) -> None:
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", "the request's head is too large")

    def _settle(self) -> None:
        """Tell the slot what this connection is doing."""
        if self._slot is None:
            return
        answering = cast("RequestResponseCycle | None", self.cycle)
        if self._in_head or answering is None:
            doing = SlotState.WAITING
        elif self._arriving:
            doing = SlotState.SENDING
        elif self._unread is not None:
            doing = SlotState.UNREAD
        elif self.pipeline:
            doing = SlotState.WAITING  # it sends a request before it has the last answer: our client never does
        else:
            doing = SlotState.WAITING if answering.response_complete else SlotState.ANSWERED
        self._slot.begin(doing, self.loop.time())

    def _expect_head(self) -> None:
        self._head_due = self.loop.call_later(self.head_seconds, self._look_for_head)

    def _expect_no_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _look_unread(self) -> None:
        self._unread = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self._settle()

    def _wait(self) -> None:
        self._got = 0
        self._stalled = self.loop.call_later(self.patience, self._look)

    def _stop_waiting(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _look(self) -> None:
        """Refuse a request that is too slow, unless reading was paused here."""
        if self.flow.read_paused or self._got >= self.least:
            self._wait()
        else:
            self._refuse_slow()

    def _look_for_head(self) -> None:
        if self.flow.read_paused:
            self._expect_head()
        else:
            self._refuse_slow()

    def _refuse_slow(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "too_slow", "the request did not arrive in time")

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        self._stop_waiting()
        self._expect_no_head()
        if self.transport.is_closing():
            return
        answering = cast("RequestResponseCycle | None", self.cycle)  # uvicorn says that there always is one
        if answering is not None and answering.response_started and not answering.response_complete:
            self.transport.abort()  # another answer has already begun
            return
        content = problem_bytes(status, code, detail)
        fields = [
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"content-length", str(len(content)).encode()),
            (b"connection", b"close"),
        ]
        lines = [name + b": " + value for name, value in secured(fields, tls=self.scheme == "https")]
        start = f"HTTP/1.1 {status.value} {status.phrase}".encode()
        self.transport.write(b"\r\n".join([start, *lines, b"", content]))
        self.transport.close()


def with_slots(slots: ConnectionSlots) -> type[HttpConnection]:
    """A connection class whose connections take a slot each."""
    return type("SlottedConnection", (HttpConnection,), {"slots": slots})
