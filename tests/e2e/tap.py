"""Reads what passed between an agent and the recorder's proxy: what does the agent really send and get?

The agent uses a relay through ``tapped_agent.py``, which changes only the port in the base URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.helpers.relay import Wire


@dataclass(frozen=True)
class TappedExchange:
    """One exchange as the agent saw it."""

    head: bytes
    body: bytes
    answer_head: bytes
    answer_body: bytes
    """Without transfer coding."""
    whole: bool
    """Whether the answer was complete."""


def heard(wires: Iterable[Wire]) -> list[TappedExchange]:
    """Every exchange, connection by connection."""
    return [exchange for wire in wires for exchange in _exchanges(bytes(wire.sent), bytes(wire.got))]


def _exchanges(sent: bytes, got: bytes) -> list[TappedExchange]:
    found: list[TappedExchange] = []
    while b"\r\n\r\n" in sent:
        head, body, sent, _ = _message(sent)
        answer_head, answer_body, whole = b"", b"", False
        if b"\r\n\r\n" in got:
            answer_head, answer_body, got, whole = _message(got, to_head=head.startswith(b"HEAD "))
        found.append(
            TappedExchange(head=head, body=body, answer_head=answer_head, answer_body=answer_body, whole=whole)
        )
    return found


def _message(data: bytes, *, to_head: bool = False) -> tuple[bytes, bytes, bytes, bool]:
    """Head, body, rest, and whether the body was complete."""
    head, _, rest = data.partition(b"\r\n\r\n")
    head += b"\r\n\r\n"
    fields = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:-2])
    }
    if to_head:
        return head, b"", rest, True
    if fields.get(b"transfer-encoding") == b"chunked":
        return head, *_dechunk(rest)
    length = int(fields.get(b"content-length", b"0"))
    return head, rest[:length], rest[length:], len(rest) >= length


def _dechunk(data: bytes) -> tuple[bytes, bytes, bool]:
    body = bytearray()
    while b"\r\n" in data:
        line, _, rest = data.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return bytes(body), rest[2:], True
        body += rest[:size]
        if len(rest) < size + 2:
            break
        data = rest[size + 2 :]
    return bytes(body), b"", False
