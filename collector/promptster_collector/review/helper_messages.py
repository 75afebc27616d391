"""What the collector and a helper process send each other: typed messages, as MessagePack over a pipe.

Decoding creates these types and nothing else: a helper that was compromised by what it read can lie, but no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from promptster_collector.store.event_row import EventRow
from promptster_collector.store.segment_file import PieceRange

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class ExportTerms(Struct, frozen=True, kw_only=True):
    """What an export should be."""

    format: str
    batches: Sequence[int]
    """The number of each batch, in the order of the headers."""
    trusted: Sequence[str]
    """Fingerprints of the collector's own keys."""
    candidate: str


class BeginSegment(Struct, frozen=True, tag=True):
    """Begin a segment; no answer."""

    content_key: bytes
    """Opens the session's batches."""
    kinds: Sequence[str]
    """Kinds of events that its policy allows."""
    piece_bytes: int
    """Bytes of events in one piece, if it is more than one event."""


class AddBatch(Struct, frozen=True, tag=True):
    """Add a batch; the answer is a ``Piece`` for each piece that is full now, then ``Done``."""

    wire: bytes
    """The batch as it was sent."""


class FinishSegment(Struct, frozen=True, tag=True):
    """There are no more batches; the answer is a ``Piece`` if events are left, then ``Done``."""


class ComparePiece(Struct, frozen=True, tag=True):
    """Compare a stored piece with what was put into it; the answer is ``Compared``."""

    number: int
    data: bytes
    """The piece's Parquet file."""


class ReadPiece(Struct, frozen=True, tag=True):
    """Read a whole piece; the answer is ``Rows``."""

    data: bytes


class ReadPage(Struct, frozen=True, tag=True):
    """Read some rows of a piece, as ``query_page`` does; the answer is ``Rows``."""

    data: bytes
    after: int
    limit: int
    size: int


class BeginExport(Struct, frozen=True, tag=True):
    """Begin an export; no answer."""

    terms: ExportTerms
    signed: bytes
    """A bundle of the session without events."""


class ExportPiece(Struct, frozen=True, tag=True):
    """Add the events of a piece to the export; no answer."""

    data: bytes


class ExportRows(Struct, frozen=True, tag=True):
    """Add events to the export; no answer."""

    rows: Sequence[EventRow]


class FinishExport(Struct, frozen=True, tag=True):
    """Make the export; the answer is a ``Chunk`` for each part of it, then ``Done``."""


class Piece(Struct, frozen=True, tag=True):
    """Some consecutive events of a session."""

    span: PieceRange
    data: bytes
    """A Parquet file."""


class Compared(Struct, frozen=True, tag=True):
    """Whether a stored piece has exactly the events that were put into it."""

    same: bool


class Rows(Struct, frozen=True, tag=True):
    """Rows that were read."""

    rows: Sequence[EventRow]


class Chunk(Struct, frozen=True, tag=True):
    """A part of an export."""

    data: bytes


class Done(Struct, frozen=True, tag=True):
    """The end of an answer of several messages."""


SegmentOrder: TypeAlias = BeginSegment | AddBatch | FinishSegment | ComparePiece
ReadOrder: TypeAlias = ReadPiece | ReadPage
ExportOrder: TypeAlias = BeginExport | ExportPiece | ExportRows | FinishExport
Order: TypeAlias = SegmentOrder | ReadOrder | ExportOrder
Answer: TypeAlias = Piece | Compared | Rows | Chunk | Done
T = TypeVar("T", Order, Answer)

ORDERS: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def send(connection: Connection, message: Order | Answer) -> None:
    """Send one message.

    Raises:
        OSError: the other end is closed.
    """
    connection.send_bytes(msgspec.msgpack.encode(message))


def receive(connection: Connection, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    """The next message; ``None`` if the other end is closed, even in the middle of a message."""
    try:
        return decoder.decode(connection.recv_bytes())
    except (EOFError, OSError):
        return None
