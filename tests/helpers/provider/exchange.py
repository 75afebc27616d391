"""HTTP/1.1 as bytes: reads requests without losing one byte of their head, and keeps what was answered."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import brotli  # type: ignore[import-untyped]  # its wheels carry no types
import zstandard

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = 64 * 1024 * 1024
"""Bytes of one request that the provider accepts."""


@dataclass(kw_only=True)
class Exchange:
    """One request and its answer, byte for byte."""

    number: int
    connection: int
    head: bytes
    """The request line and headers as received, with the empty line."""
    body: bytes
    """The body, without transfer coding."""
    answer: bytearray = field(default_factory=bytearray)
    """Every byte written in answer."""
    conversation: str | None = None
    """The prompt of the script's conversation, if the request belongs to one."""
    turn: int | None = None
    attempt: int = 0
    outcome: str = "open"
    """``complete``, the name of the fault, ``refused`` or ``client_gone``."""

    @property
    def method(self) -> str:
        """The request's method."""
        return self.head.split(b" ", 1)[0].decode("latin-1")

    @property
    def target(self) -> str:
        """The request's target as it was sent."""
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers in their order and case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [(name, value.strip(" ")) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name: str) -> str:
        """The value of a header, or the empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def document(self) -> dict[str, Any]:
        """The body as JSON; empty if it is not an object."""
        try:
            value = json.loads(decoded(self.body, self.header("content-encoding")))
        except ValueError:
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}

    def to_json(self) -> dict[str, Any]:
        """One line of the provider's log."""
        return {
            "number": self.number,
            "connection": self.connection,
            "head": base64.b64encode(self.head).decode(),
            "body": base64.b64encode(self.body).decode(),
            "answer": base64.b64encode(self.answer).decode(),
            "conversation": self.conversation,
            "turn": self.turn,
            "attempt": self.attempt,
            "outcome": self.outcome,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Exchange:
        """The exchange from a line of the log."""
        plain = {name: value[name] for name in ("number", "connection", "conversation", "turn", "attempt", "outcome")}
        return cls(
            **plain,
            head=base64.b64decode(value["head"]),
            body=base64.b64decode(value["body"]),
            answer=bytearray(base64.b64decode(value["answer"])),
        )


def decoded(body: bytes, encoding: str) -> bytes:
    """A body without its content coding."""
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    if encoding == "br":
        return bytes(brotli.decompress(body))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=LIMIT)
    return body


async def read_head(reader: asyncio.StreamReader) -> bytes | None:
    """A request's head, or ``None`` at the end of the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """A request's body, with either framing."""
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:-2])
    }
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        pieces: list[bytes] = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            pieces.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return b"".join(pieces)
    return await reader.readexactly(int(headers.get(b"content-length", b"0")))
