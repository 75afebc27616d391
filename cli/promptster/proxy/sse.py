"""Server-sent events, sans-io: bytes go in, however they are split, and events come out (WHATWG HTML standard).

Each byte is looked at once, when it arrives, so that a long line in many small pieces costs no more than a short one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_BOM: Final = b"\xef\xbb\xbf"
_LIMIT: Final = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSentEvent:
    """One event of a stream."""

    event: str
    """The event's type; ``message`` if the stream names none."""
    data: str
    """The data lines, joined by line feeds."""


class SseParser:
    """Turns a stream of bytes into events; an event that the stream does not complete is dropped.

    Event ids and reconnection times are ignored, as they are for clients that reconnect.
    """

    def __init__(self, *, limit: int = _LIMIT) -> None:
        """Drop events of more than ``limit`` bytes."""
        self.oversized = 0
        """How many events were dropped because they were too long."""
        self._limit = limit
        self._start: bytes | None = b""
        self._after_cr = False
        self._line: list[bytes] = []
        self._size = 0
        self._reset()

    def _reset(self) -> None:
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes, and return the events that they complete."""
        if self._start is not None:
            data = self._without_bom(data)
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if data.endswith(b"\r"):
            self._after_cr = True
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[ServerSentEvent] = []
        first, *others = data.split(b"\n")
        self._keep(first)
        for part in others:
            self._end_line(events)
            self._keep(part)
        return events

    def _without_bom(self, data: bytes) -> bytes:
        """Hold the first three bytes back until it is clear whether they are a byte order mark."""
        start = (self._start or b"") + data
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(_BOM)

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        self._size += len(part)
        if self._size <= self._limit:
            self._line.append(part)
        else:
            self._line = [b":"]
            self._data.clear()

    def _end_line(self, events: list[ServerSentEvent]) -> None:
        if self._line:
            line = b"".join(self._line)
            self._line = []
            if line.startswith(b":") and self._size <= self._limit:
                self._size -= len(line)
            self._field(line)
            return
        if self._size > self._limit:
            self.oversized += 1
        elif self._data:
            events.append(ServerSentEvent(event=self._event or "message", data="\n".join(self._data)))
        self._reset()

    def _field(self, line: bytes) -> None:
        name, _, rest = line.partition(b":")
        value = rest.removeprefix(b" ")
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
