"""A sealed session as one file of pieces, each encrypted on its own, so that only one is in memory at a time.

``"PSSEG2" 0x00 0x0A || pieces || index || length of the encrypted index (u32be)``. Every piece is a Parquet file of
some events, in the session's order, encrypted for its position. The index, encrypted too, has the number of pieces,
their lengths and their events, so that pieces can neither be removed nor swapped. A file with another beginning is a
single encrypted Parquet file, the first format.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from promptster_collector.store.at_rest import UnsealError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster_collector.store.at_rest import Sealer

MAGIC: Final = b"PSSEG2\x00\n"
_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class PieceRange:
    """The range of events in a piece."""

    first: int
    """The lowest ``seq``."""
    last: int
    """The highest ``seq``."""
    events: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """The position of a piece in its file."""

    start: int
    length: int
    purpose: str
    span: PieceRange | None
    """``None`` in a file of the first format, which has no pieces."""


def _purpose(version: int) -> str:
    return f"segment/{version}"


def _piece_purpose(version: int, place: int) -> str:
    return f"segment/{version}/piece/{place}"


def _index_purpose(version: int) -> str:
    return f"segment/{version}/index"


class PieceWriter:
    """Writes pieces one after the other."""

    def __init__(self, file: BinaryIO, sealer: Sealer, version: int) -> None:
        """Write the start of the file."""
        self._file = file
        self._sealer = sealer
        self._version = version
        self._entries: list[tuple[int, ...]] = []
        file.write(MAGIC)

    def add(self, data: bytes, span: PieceRange) -> None:
        """Encrypt and write the next piece."""
        sealed = self._sealer.seal(data, _piece_purpose(self._version, len(self._entries)))
        self._entries.append((len(sealed), *astuple(span)))
        self._file.write(sealed)

    def finish(self) -> None:
        """Write the index, which ends the file."""
        index = self._sealer.seal(json.dumps(self._entries).encode(), _index_purpose(self._version))
        self._file.write(index + _LENGTH.pack(len(index)))


class PieceReader:
    """Decrypts the pieces of a file whose hash was checked."""

    def __init__(self, file: BinaryIO, sealer: Sealer, version: int) -> None:
        """Read the index.

        Raises:
            UnsealError: wrong key, session or version, or changed bytes.
        """
        self._file = file
        self._sealer = sealer
        self._places = self._index(version)

    def __len__(self) -> int:
        """The number of pieces."""
        return len(self._places)

    @property
    def events(self) -> int:
        """The number of events in the pieces; 0 for a file of the first format."""
        return sum(0 if place.span is None else place.span.events for place in self._places)

    def from_seq(self, seq: int) -> Sequence[int]:
        """The pieces that can contain this ``seq`` or later ones."""
        return [number for number, place in enumerate(self._places) if place.span is None or place.span.last >= seq]

    def last_of(self, number: int) -> int | None:
        """The highest ``seq`` of a piece, if it is known."""
        span = self._places[number].span
        return None if span is None else span.last

    def read(self, number: int) -> bytes:
        """A piece's Parquet bytes.

        Raises:
            UnsealError: the piece was written for another place.
        """
        place = self._places[number]
        self._file.seek(place.start)
        return self._sealer.unseal(self._file.read(place.length), place.purpose)

    def _index(self, version: int) -> tuple[_Place, ...]:
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        if self._file.read(len(MAGIC)) != MAGIC:
            return (_Place(start=0, length=end, purpose=_purpose(version), span=None),)
        if end < len(MAGIC) + _LENGTH.size:
            raise UnsealError("a sealed session's file is truncated")
        self._file.seek(end - _LENGTH.size)
        (length,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
        start = end - _LENGTH.size - int(length)
        if start < len(MAGIC):
            raise UnsealError("a sealed session's file is truncated")
        self._file.seek(start)
        entries = json.loads(self._sealer.unseal(self._file.read(length), _index_purpose(version)))
        places: list[_Place] = []
        place = len(MAGIC)
        for number, (size, *span) in enumerate(entries):
            purpose = _piece_purpose(version, number)
            places.append(_Place(start=place, length=size, purpose=purpose, span=PieceRange(*span)))
            place += size
        return tuple(places)
