"""Sealing, as the helper process does it: events become Parquet pieces of a bounded size as their batches come.

Only hashes of finished pieces are kept, so that the memory it takes does not grow with the session.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from promptster.protocol.batch import open_body, parse_batch
from promptster.protocol.errors import ProtocolError
from promptster_collector.review.helper_messages import Piece
from promptster_collector.review.rows import row_of, within_policy
from promptster_collector.store.parquet import read_rows, write_rows
from promptster_collector.store.segment_file import PieceRange

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from promptster_collector.review.helper_messages import BeginSegment
    from promptster_collector.store.event_row import EventRow


def _digest(rows: Sequence[EventRow]) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(rows)).digest()


class SegmentJob:
    """Turns the batches of one session into pieces."""

    def __init__(self, order: BeginSegment) -> None:
        self._content_key = order.content_key
        self._kinds = frozenset(order.kinds)
        self._piece_bytes = order.piece_bytes
        self._rows: list[EventRow] = []
        self._size = 0
        self._digests: list[bytes] = []

    def add(self, wire: bytes) -> Generator[Piece]:
        """Open a batch and yield the pieces that are full; a batch that does not open is an unreadable span."""
        try:
            batch = parse_batch(wire)
            events = within_policy(open_body(batch, self._content_key), self._kinds)
        except ProtocolError:
            return
        for event in events:
            row = row_of(batch.header.n, event)
            if self._size + row.size > self._piece_bytes:
                yield from self.finish()
            self._rows.append(row)
            self._size += row.size

    def finish(self) -> Generator[Piece]:
        """Make a piece of the rows since the last one, if there are any."""
        rows, self._rows, self._size = self._rows, [], 0
        if rows:
            self._digests.append(_digest(rows))
            yield Piece(PieceRange(rows[0].seq, rows[-1].seq, len(rows)), write_rows(rows))

    def holds(self, number: int, data: bytes) -> bool:
        """Whether a stored piece gives back the rows that were put into it."""
        return self._digests[number] == _digest(read_rows(data))
