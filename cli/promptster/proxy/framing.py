"""Where a message body ends, sans-io: bytes pass through as they are, the payload is copied out for observers.

A tracker never holds body bytes back, with one exception: the trailer section of a chunked body, which is dropped.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Protocol

_MAX_LINE: Final = 4096
_MAX_TRAILERS: Final = 64 * 1024
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,13})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")


class FramingError(Exception):
    """The body's framing is broken, so its end cannot be known."""


class Piece(NamedTuple):
    """What one read means."""

    wire: bytes
    """Bytes to forward now, unchanged."""
    payload: bytes
    """The part of them that is content, transfer coding removed."""
    rest: bytes
    """Bytes behind the end of the body."""


class Body(Protocol):
    """Follows one body."""

    done: bool
    """Whether the body has ended."""

    def feed(self, data: bytes) -> Piece:
        """Take the next bytes.

        Raises:
            FramingError: when they cannot belong to such a body.
        """
        ...

    def ends_at_eof(self) -> bool:
        """Whether the end of the connection, now, is the body's proper end."""
        ...


class SizedBody:
    """A body of known length; 0 is a message without a body."""

    def __init__(self, length: int) -> None:
        """Expect ``length`` bytes."""
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes) -> Piece:
        """Count bytes off."""
        size = len(data)
        left = self._left
        if size < left:
            self._left = left - size
            return Piece(data, data, b"")
        self._left, self.done = 0, True
        if size == left:
            return Piece(data, data, b"")
        mine = data[:left]
        return Piece(mine, mine, data[left:])

    def ends_at_eof(self) -> bool:
        """Only when nothing is missing."""
        return self.done


class OpenBody:
    """A body that ends with its connection."""

    def __init__(self) -> None:
        """Expect bytes until the connection ends."""
        self.done = False

    def feed(self, data: bytes) -> Piece:
        """Everything belongs to it."""
        return Piece(data, data, b"")

    def ends_at_eof(self) -> bool:
        """Always."""
        return True


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1): extensions kept, trailers dropped."""

    def __init__(self) -> None:
        """Expect the first chunk's size line."""
        self.done = False
        self._left = 0
        self._line = b""
        self._take_line = self._size_line
        self._trailers = 0

    def feed(self, data: bytes) -> Piece:
        """Walk over the chunks; a read may hold parts of any number of them."""
        at, size = 0, len(data)
        payload: list[bytes] = []
        visible = 0 if self._trailers else -1
        while at < size and not self.done:
            if self._left:
                end = min(size, at + self._left)
                payload.append(data[at:end])
                self._left -= end - at
            else:
                end = data.find(b"\n", at) + 1 or size
                self._collect(data[at:end])
                if self._trailers and visible < 0:
                    visible = end
            at = end
        wire = data[:at] if visible < 0 else data[:visible] + (b"\r\n" if self.done else b"")
        return Piece(wire, payload[0] if len(payload) == 1 else b"".join(payload), data[at:])

    def ends_at_eof(self) -> bool:
        """Only behind the last chunk."""
        return self.done

    def _collect(self, part: bytes) -> None:
        line = self._line + part
        if len(line) > _MAX_LINE:
            raise FramingError("a line between chunks is too long")
        if not line.endswith(b"\n"):
            self._line = line
            return
        if not line.endswith(b"\r\n"):
            raise FramingError("a line between chunks does not end in CR LF")
        self._line = b""
        self._take_line(line[:-2])

    def _size_line(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise FramingError("a chunk's size line is malformed")
        self._left = int(match[1], 16)
        if self._left:
            self._take_line = self._chunk_end
        else:
            self._trailers = 1
            self._take_line = self._trailer

    def _chunk_end(self, line: bytes) -> None:
        if line:
            raise FramingError("a chunk is longer than its size")
        self._take_line = self._size_line

    def _trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if self._trailers > _MAX_TRAILERS:
            raise FramingError("the trailers are too long")
        self.done = not line
