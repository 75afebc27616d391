"""Where a message body ends, sans-io: bytes pass through as they are, the payload is copied out for observers.

A tracker never holds body bytes back, with one exception: the trailer section of a chunked body, which is dropped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_LINE: Final = 4096
_MAX_TRAILERS: Final = 64 * 1024
_LINE = re.compile(rb"([0-9A-Fa-f]{1,13})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]{0,4000})?")
_WHOLE_LINE = re.compile(_LINE.pattern + rb"\r\n")


class FramingError(Exception):
    """The body's framing is broken, so its end cannot be known."""


Piece = tuple[bytes, bytes, bytes]
"""What one read means: bytes to forward now, unchanged; their content without transfer coding; bytes behind the end."""


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
            return (data, data, b"")
        self._left, self.done = 0, True
        if size == left:
            return (data, data, b"")
        mine = data[:left]
        return (mine, mine, data[left:])

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
        return (data, data, b"")

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
        self._take_line: Callable[[bytes], None] | None = None
        self._trailers = 0

    def feed(self, data: bytes) -> Piece:
        """Walk over the chunks; a read may hold parts of any number of them."""
        payload: list[bytes] = []
        visible = 0 if self._trailers else -1
        at, size = self._whole_chunks(data, payload), len(data)
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
        return wire, payload[0] if len(payload) == 1 else b"".join(payload), data[at:]

    def ends_at_eof(self) -> bool:
        """Only behind the last chunk."""
        return self.done

    def _whole_chunks(self, data: bytes, payload: list[bytes]) -> int:
        """Skip chunks that lie whole in one read, as a stream's events mostly do; return where another kind begins."""
        at = 0
        if self._take_line is not None or self._left or self._line:
            return at
        while line := _WHOLE_LINE.match(data, at):
            begin = line.end()
            end = begin + int(line[1], 16)
            if begin == end or data[end : end + 2] != b"\r\n":
                break
            payload.append(data[begin:end])
            at = end + 2
        return at

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
        (self._take_line or self._size_line)(line[:-2])

    def _size_line(self, line: bytes) -> None:
        match = _LINE.fullmatch(line)
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
        self._take_line = None

    def _trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if self._trailers > _MAX_TRAILERS:
            raise FramingError("the trailers are too long")
        self.done = not line
