"""Where a message body ends (RFC 9112, section 6), sans-io: bytes are forwarded unchanged, and the content is copied.

Content is never held back. Of a chunked body, the lines between chunks are held until they are complete, and the
trailer section is dropped; of a chunked request, the last chunk is held until the trailers have proved valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

from typing_extensions import override

from promptster.proxy import grammar
from promptster.proxy.http1 import RequestHead, ResponseHead

_MAX_LINE: Final = 4096
_MAX_TRAILERS: Final = 64 * 1024
_MAX_TRAILER_FIELDS: Final = 100
_MAX_EXTENSIONS: Final = 64 * 1024
_NEVER_TRAILERS = frozenset({b"content-length", b"transfer-encoding", b"host"})
_LINE = re.compile(grammar.CHUNK_LINE + rb"\r\n")


class FramingError(Exception):
    """The body's framing is broken, so its end cannot be known."""


FramedBytes = tuple[bytes, bytes, bytes]
"""What one read holds: bytes to forward now, unchanged; their content without transfer coding; bytes after the end."""


class Body(Protocol):
    """Follows one body."""

    done: bool
    """Whether the body has ended."""

    def feed(self, data: bytes) -> FramedBytes:
        """Take the next bytes.

        Raises:
            FramingError: when they cannot belong to such a body.
        """
        ...

    def ends_at_eof(self) -> bool:
        """Whether the body is complete if the connection ends now."""
        ...


class SizedBody(Body):
    """A body of known length; 0 is a message without a body."""

    def __init__(self, length: int) -> None:
        """Expect ``length`` bytes."""
        self._left = length
        self.done = length == 0

    @override
    def feed(self, data: bytes) -> FramedBytes:
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

    @override
    def ends_at_eof(self) -> bool:
        return self.done


class CloseDelimitedBody(Body):
    """A body that ends when its connection is closed."""

    def __init__(self) -> None:
        """Expect bytes until the connection ends."""
        self.done = False

    @override
    def feed(self, data: bytes) -> FramedBytes:
        return (data, data, b"")

    @override
    def ends_at_eof(self) -> bool:
        return True


class ChunkedBody(Body):
    """A body in chunks (RFC 9112, section 7.1): extensions are kept, trailers are checked and dropped."""

    def __init__(self, *, hold_last: bool = False) -> None:
        """Expect the first chunk's size line.

        Args:
            hold_last: whether the last chunk is forwarded only after the trailers have proved valid; until then no
                recipient can take the body for complete.
        """
        self.done = False
        self._hold_last = hold_last
        self._left = 0
        self._line = b""
        self._take_line: Callable[[bytes], bytes] | None = None
        self._extensions = 0
        self._held = b""
        self._trailers = self._trailer_fields = 0

    @override
    def feed(self, data: bytes) -> FramedBytes:
        payload: list[bytes] = []
        at, size = self._whole_chunks(data, payload), len(data)
        if at == size:
            return data, payload[0] if len(payload) == 1 else b"".join(payload), b""
        wire = [data[:at]]
        while at < size and not self.done:
            if self._left:
                end = min(size, at + self._left)
                payload.append(data[at:end])
                wire.append(payload[-1])
                self._left -= end - at
            else:
                end = data.find(b"\n", at) + 1 or size
                wire.append(self._collect(data[at:end]))
            at = end
        return b"".join(wire), payload[0] if len(payload) == 1 else b"".join(payload), data[at:]

    @override
    def ends_at_eof(self) -> bool:
        return self.done

    def _whole_chunks(self, data: bytes, payload: list[bytes]) -> int:
        """Skip chunks that one read holds completely, as streams mostly have; return where something else begins."""
        at, size = 0, len(data)
        if self._take_line is not None or self._left or self._line:
            return at
        while at < size and (line := _LINE.match(data, at)):
            begin = line.end()
            end = begin + int(line[1], 16)
            if begin == end or begin - at > _MAX_LINE or data[end : end + 2] != b"\r\n":
                break
            if line[2]:
                self._count_extensions(line[2])
            payload.append(data[begin:end])
            at = end + 2
        return at

    def _collect(self, part: bytes) -> bytes:
        """Take a line or a part of one; return the bytes of it to forward."""
        line = self._line + part
        if len(line) > _MAX_LINE:
            raise FramingError("a line between chunks is too long")
        if not line.endswith(b"\n"):
            self._line = line
            return b""
        if not line.endswith(b"\r\n"):
            raise FramingError("a line between chunks does not end in CR LF")
        self._line = b""
        return (self._take_line or self._size_line)(line)

    def _count_extensions(self, extensions: bytes) -> None:
        self._extensions += len(extensions)
        if self._extensions > _MAX_EXTENSIONS:
            raise FramingError("the chunks' extensions are too long")

    def _size_line(self, line: bytes) -> bytes:
        match = _LINE.fullmatch(line)
        if match is None:
            raise FramingError("a chunk's size line is malformed")
        self._left = int(match[1], 16)
        if self._left > grammar.MAX_SIZE:
            raise FramingError(f"a chunk's size is above {grammar.MAX_SIZE}")
        self._count_extensions(match[2])
        if self._left:
            self._take_line = self._chunk_end
            return line
        self._take_line = self._trailer
        if not self._hold_last:
            return line
        self._held = line
        return b""

    def _chunk_end(self, line: bytes) -> bytes:
        if line != b"\r\n":
            raise FramingError("a chunk is longer than its size")
        self._take_line = None
        return line

    def _trailer(self, line: bytes) -> bytes:
        if line == b"\r\n":
            self.done = True
            return self._held + line
        name = grammar.field_name(line[:-2])
        if name is None:
            raise FramingError("the trailer section contains a line that is not a header field")
        if name in _NEVER_TRAILERS:
            raise FramingError(f"the trailer section contains {name.decode()}, which is only allowed in a head")
        self._trailers += len(line)
        self._trailer_fields += 1
        if self._trailers > _MAX_TRAILERS or self._trailer_fields > _MAX_TRAILER_FIELDS:
            raise FramingError("the trailers are too long")
        return b""


def request_body(head: RequestHead) -> Body:
    """What follows the body of a request with this head."""
    return ChunkedBody(hold_last=True) if head.chunked else SizedBody(head.length)


def response_body(head: ResponseHead, method: bytes) -> Body:
    """What follows the body of a response with this head to a request with this method."""
    if not head.has_body(method):
        return SizedBody(0)
    if head.chunked:
        return ChunkedBody()
    return CloseDelimitedBody() if head.length is None else SizedBody(head.length)
