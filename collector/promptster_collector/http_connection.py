"""One HTTP connection, below the application: what no route ever sees is limited and refused here.

A request's head is at most 64 KiB and 100 fields, and is there in ten seconds, however it comes. A body, and whoever
reads an answer, has to go on at a pace that every network has. What cannot be read as HTTP is answered with a problem
document like every other refusal.
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
    """Ends the parser's work on a head that goes on for too long."""


class HttpConnection(HttpToolsProtocol):
    """Uvicorn's connection with limits, and with problem documents for what is not HTTP."""

    slots: ClassVar[ConnectionSlots | None] = None
    """Where its slot is known, if slots are counted."""
    head_seconds = 10.0
    """In which a request's head must be whole."""
    patience = 30.0
    """Seconds in which a request that is not whole must bring ``least`` bytes."""
    least = 16 * 1024
    """Bytes: half a kilobyte a second, which every network has."""
    _in_head = False
    """Whether a head has begun and not ended."""
    _arriving = True
    """Whether more of a request is to come; a fresh connection owes its first."""
    _head = 0
    _fields = 0
    _too_large = False
    _got = 0
    """Bytes since the last look at how a request arrives."""
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
        """Wait for nothing more."""
        self._stop_waiting()
        self._expect_no_head()
        self._stop_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes; refuse a head that has become too long with them."""
        self._got += len(data)
        if self._slot is not None:
            self._slot.received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            # Only what is left over here has not been counted field by field.
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
        """A request begins."""
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
        """The head is whole."""
        self._in_head = False
        self._expect_no_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._arriving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The request is answered."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size() and self._unread is None:
            # Little enough that writing went on: also that has to be taken, by whoever wants nothing more as well.
            self._unread = self.loop.call_later(2 * self.patience, self._look_unread)
        self._settle()

    def pause_writing(self) -> None:
        """More waits to be read than should; whoever reads nothing of it is let go."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(2 * self.patience, self._look_unread)
        self._settle()

    def resume_writing(self) -> None:
        """It is being read."""
        self._stop_unread()
        super().resume_writing()
        self._settle()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read as HTTP."""
        if self._too_large:
            self._refuse_head()
            return
        del msg  # uvicorn's own words
        self._refuse(HTTPStatus.BAD_REQUEST, "invalid_http", "this is not a request that can be read")

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD or self._fields > MAX_FIELDS:
            self._too_large = True
            raise _HeadTooLargeError

    def _refuse_head(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", "the request's head is larger than it may be"
        )

    def _settle(self) -> None:
        """Tell the slot what this connection does."""
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
            doing = SlotState.WAITING  # it asks for the next thing before it has the last: no program of ours does
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
        """Too little came for too long; unless it was us who did not read."""
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
            self.transport.abort()  # another answer is half said already
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
    """Connections that have a slot among these."""
    return type("SlottedConnection", (HttpConnection,), {"slots": slots})
