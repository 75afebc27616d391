"""Rows as bytes, for the way from one process to another."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Final

from promptster_collector.store.parquet import EventRow

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTH: Final = struct.Struct(">I")
"""How the length of what follows is written."""


def pack(rows: Sequence[EventRow]) -> bytes:
    """Rows as bytes: length (u32be), a JSON list of what is not binary, then everything binary in a row."""
    plain = [
        [row.n, row.seq, row.src, row.kind, row.lane, row.ms, row.mono_ms, *(len(part) for part in _parts(row))]
        for row in rows
    ]
    head = json.dumps(plain, separators=(",", ":")).encode()
    return b"".join([LENGTH.pack(len(head)), head, *(part for row in rows for part in _parts(row))])


def _parts(row: EventRow) -> tuple[bytes, bytes, bytes]:
    return row.public, row.secrets, row.blocks


def unpack(data: bytes) -> list[EventRow]:
    """The rows that were packed."""
    head, place = after_length(data)
    rows: list[EventRow] = []
    for n, seq, src, kind, lane, ms, mono_ms, *sizes in json.loads(head):
        parts: list[bytes] = []
        for size in sizes:
            parts.append(data[place : place + size])
            place += size
        public, secrets, blocks = parts
        made = EventRow(
            n=n,
            seq=seq,
            src=src,
            kind=kind,
            lane=lane,
            ms=ms,
            mono_ms=mono_ms,
            public=public,
            secrets=secrets,
            blocks=blocks,
        )
        rows.append(made)
    return rows


def after_length(data: bytes) -> tuple[bytes, int]:
    """The first piece of some bytes, and where the rest begins."""
    (length,) = LENGTH.unpack_from(data)
    end = LENGTH.size + int(length)
    return data[LENGTH.size : end], end
