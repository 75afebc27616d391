"""Decodes content codings for observers, incrementally and within bounds; forwarded bytes do not pass through here.

A stream that cannot be decoded is a result, not an exception: ``ContentDecoder.fault`` says what was wrong, and the
bytes decoded before it stay valid.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Literal, Protocol

import brotli  # type: ignore[import-untyped]  # its wheels carry no types
import zstandard

from promptster.proxy.header_fields import Headers

MAX_DECODED: Final = 16 * 1024 * 1024
"""Decoded bytes per body; the rest is left out."""
MAX_WINDOW: Final = 8 * 1024 * 1024
"""Window size of a zstd frame; a larger one is refused."""

DecodingFault = Literal["too_large", "corrupt", "unsupported", "truncated"]
"""Why a body could not be decoded completely."""

_STEP: Final = 256 * 1024
"""Decoded bytes asked for at a time."""
_ZSTD_STEP: Final = 64
"""Encoded bytes given to zstd at a time: four bytes may expand to 128 KiB, so this many expand to at most 2 MiB."""
_ZLIB_METHOD: Final = 8


class _CorruptError(Exception):
    """The bytes do not belong to this coding."""


class _Coding(Protocol):
    """Decodes one coding."""

    def decode(self, data: bytes, room: int, out: list[bytes]) -> None:
        """Decode ``data`` and append the result to ``out``; may stop soon after ``room`` decoded bytes."""
        ...

    def complete(self) -> bool:
        """Whether the stream is at its end."""
        ...


class _Identity:
    def decode(self, data: bytes, room: int, out: list[bytes]) -> None:
        out.append(data[: room + 1])

    def complete(self) -> bool:
        return True


class _Zlib:
    """gzip (also several members in a row), and deflate (with a zlib header or, as some servers send it, without)."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._head = b""
        self._stream = zlib.decompressobj(31)
        self._chosen = gzip
        self._begun = False

    def decode(self, data: bytes, room: int, out: list[bytes]) -> None:
        if not self._chosen:
            data = self._head + data
            if len(data) < 2:  # noqa: PLR2004 - a zlib header's two bytes
                self._head = data
                return
            wrapped = data[0] & 15 == _ZLIB_METHOD and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(15 if wrapped else -15)
            self._chosen = True
        while data and room >= 0:
            data = self._next_member(data)
            if not data:
                break
            self._begun = True
            try:
                piece = self._stream.decompress(data, min(_STEP, room + 1))
            except zlib.error as exc:
                raise _CorruptError from exc
            out.append(piece)
            room -= len(piece)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def _next_member(self, data: bytes) -> bytes:
        """Begin another gzip member after a complete one; zero bytes between them are padding."""
        if not self._stream.eof:
            return data
        if not self._gzip:
            raise _CorruptError
        data = data.lstrip(b"\0")
        if data:
            self._stream = zlib.decompressobj(31)
        return data

    def complete(self) -> bool:
        return self._stream.eof or not (self._begun or self._head)


class _BrotliStream(Protocol):
    def process(self, data: bytes, *, output_buffer_limit: int) -> bytes: ...

    def is_finished(self) -> bool: ...

    def can_accept_more_data(self) -> bool: ...


_new_brotli_stream: Callable[[], _BrotliStream] = brotli.Decompressor  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
_BrotliError: type[Exception] = brotli.error  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


class _Brotli:
    def __init__(self) -> None:
        self._stream = _new_brotli_stream()
        self._begun = False

    def decode(self, data: bytes, room: int, out: list[bytes]) -> None:
        self._begun = self._begun or bool(data)
        while room >= 0:
            if self._stream.is_finished():
                if data:
                    raise _CorruptError
                break
            try:
                piece = self._stream.process(data, output_buffer_limit=min(_STEP, room + 1))
            except _BrotliError as exc:
                raise _CorruptError from exc
            data = b""
            out.append(piece)
            room -= len(piece)
            if self._stream.can_accept_more_data():
                break

    def complete(self) -> bool:
        return not self._begun or self._stream.is_finished()


class _Zstd:
    """Zstandard, also several frames in a row."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        self._stream = self._context.decompressobj()
        self._begun = False

    def decode(self, data: bytes, room: int, out: list[bytes]) -> None:
        at = 0
        while at < len(data) and room >= 0:
            if self._stream.eof:
                self._stream = self._context.decompressobj()
            self._begun = True
            step = data[at : at + _ZSTD_STEP]
            try:
                piece = self._stream.decompress(step)
            except zstandard.ZstdError as exc:
                raise _CorruptError from exc
            at += len(step) - len(self._stream.unused_data if self._stream.eof else b"")
            out.append(piece)
            room -= len(piece)

    def complete(self) -> bool:
        return not self._begun or self._stream.eof


def _coding(name: str) -> _Coding | None:
    match name:
        case "" | "identity":
            return _Identity()
        case "gzip" | "x-gzip":
            return _Zlib(gzip=True)
        case "deflate":
            return _Zlib(gzip=False)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case _:
            return None


class ContentDecoder:
    """Decodes one body as it arrives; never raises."""

    def __init__(self, encoding: str = "", *, limit: int = MAX_DECODED) -> None:
        """Decode ``encoding``, the value of Content-Encoding; a list of several codings is not supported."""
        self.fault: DecodingFault | None = None
        """What went wrong so far; from then on ``feed`` returns nothing."""
        self._left = limit
        self._coding = _coding(encoding.strip().lower())
        if self._coding is None:
            self.fault = "unsupported"

    def feed(self, data: bytes) -> bytes:
        """Decode the next bytes; bytes beyond the limit are left out, and the fault becomes ``too_large``."""
        if self.fault is not None or self._coding is None or not data:
            return b""
        pieces: list[bytes] = []
        try:
            self._coding.decode(data, self._left, pieces)
        except _CorruptError:
            self.fault = "corrupt"
        excess = sum(map(len, pieces)) - self._left
        if excess > 0:
            self.fault = "too_large"
            pieces[-1] = pieces[-1][:-excess]
        out = b"".join(pieces)
        self._left -= len(out)
        return out

    def finish(self) -> DecodingFault | None:
        """Note the end of the body, and return what was wrong with it, if anything."""
        if self.fault is None and self._coding is not None and not self._coding.complete():
            self.fault = "truncated"
        return self.fault


def content_encoding(headers: Headers) -> str:
    """The Content-Encoding of a message: every such field, joined by commas."""
    return ", ".join(value.decode("latin-1") for name, value in headers if name.lower() == b"content-encoding")
