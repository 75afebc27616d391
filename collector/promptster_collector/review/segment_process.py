"""A process of its own for a session's Parquet file, so that the collector gives the memory back with it.

Run as ``python -m promptster_collector.review.segment_process`` it obeys what comes on standard input, one piece after
another, and ends when that ends. Nothing of a session reaches a file, an argument or the environment. Pieces are
``kind (1) || length (u64be) || bytes``:

=====  =======================================================  ======================================
kind   what comes                                               what is answered
=====  =======================================================  ======================================
``S``  content key (32), kinds that the policy allows and       nothing: a session begins
       bytes of a piece, as JSON
``B``  a batch as it was sent                                   a ``p`` for each piece that is full now,
                                                                then ``B``
``W``  nothing                                                  a ``p`` for what was left, then ``W``
``R``  number of a piece (u32be) and its Parquet file, as it    ``R`` and ``1``, or nothing if its events
       was stored                                               are not those of that piece
``P``  which rows, as JSON after its length (u32be), and a      ``P`` and those rows (``pack``)
       Parquet file
``E``  terms of an export after their length (u32be), and a     nothing: an export begins
       bundle of the session without events
``F``  a Parquet file of events for the export                  nothing
``G``  packed rows of events for the export                     nothing
``X``  nothing                                                  a ``x`` for each chunk of the export,
                                                                then ``X``
=====  =======================================================  ======================================

A ``p`` is a span (three u64be) and a Parquet file of the events in it. Events become pieces of a bounded size as they
come, and of earlier pieces only hashes are kept: what this takes does not grow with the session.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import subprocess
import sys
from dataclasses import astuple, dataclass
from typing import IO, TYPE_CHECKING, Final, Self

from promptster.protocol.batch import open_body, parse_batch
from promptster.protocol.errors import ProtocolError
from promptster_collector.review.packing import LENGTH, after_length, pack, unpack
from promptster_collector.review.rows import row_of, within_policy
from promptster_collector.store.parquet import EventRow, read_parquet, write_parquet
from promptster_collector.store.segment_file import Span

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Sequence

    from promptster_collector.review.export_job import ExportJob, ExportTerms

_KEY: Final = 32
_HEAD: Final = struct.Struct(">cQ")
_SPAN: Final = struct.Struct(">3Q")
_NICE: Final = 5
"""Steps by which this work stands behind the collector's own."""
_ALLOCATOR: Final = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_ARENA_MAX": "1"}
"""The C library of Linux would keep what long values leave free, and ask the kernel for more for the next ones."""
_END: Final = 60.0
"""Seconds that the process has to end when there is nothing more for it."""


class SegmentProcessError(Exception):
    """The process has ended before its work: too little memory, most likely, or somebody killed it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some events of a session, one behind the other."""

    span: Span
    data: bytes
    """A Parquet file."""


def _send(stream: IO[bytes], kind: bytes, data: bytes) -> None:
    stream.write(_HEAD.pack(kind, len(data)))
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    data = stream.read(length)
    return (kind, data) if len(data) == length else None


def _page(data: bytes) -> bytes:
    wanted, start = after_length(data)
    return pack(read_parquet(data[start:], **json.loads(wanted)))


def _digest(rows: Sequence[EventRow]) -> bytes:
    return hashlib.sha256(pack(rows)).digest()


class _Session:
    """The events of one session, as rows on their way into pieces."""

    def __init__(self, content_key: bytes, kinds: Collection[str], piece_bytes: int) -> None:
        self._content_key = content_key
        self._kinds = kinds
        self._piece_bytes = piece_bytes
        self._rows: list[EventRow] = []
        self._size = 0
        self._digests: list[bytes] = []

    def add(self, wire: bytes) -> Generator[Piece]:
        """Open a batch; one that does not open is an unreadable span."""
        try:
            batch = parse_batch(wire)
            events = within_policy(open_body(batch, self._content_key), self._kinds)
        except ProtocolError:
            return
        for event in events:
            row = row_of(batch.header.n, event)
            if self._size + row.size > self._piece_bytes:
                yield from self.cut()
            self._rows.append(row)
            self._size += row.size

    def cut(self) -> Generator[Piece]:
        """Make a piece of the rows that came since the last one; none of no rows."""
        rows, self._rows, self._size = self._rows, [], 0
        if rows:
            self._digests.append(_digest(rows))
            yield Piece(Span(rows[0].seq, rows[-1].seq, len(rows)), write_parquet(rows))

    def holds(self, data: bytes) -> bool:
        """Whether a stored piece gives the rows that were put into it."""
        (number,) = LENGTH.unpack_from(data)
        return self._digests[int(number)] == _digest(read_parquet(data[LENGTH.size :]))


def _answer_pieces(answers: IO[bytes], kind: bytes, pieces: Generator[Piece]) -> None:
    for piece in pieces:
        _send(answers, b"p", _SPAN.pack(*astuple(piece.span)) + piece.data)
    _send(answers, kind, b"")


def _begin(data: bytes) -> _Session:
    terms = json.loads(data[_KEY:])
    return _Session(data[:_KEY], frozenset(terms["kinds"]), terms["piece_bytes"])


def _begin_export(data: bytes) -> ExportJob:
    # What makes exports costs memory that sealing should not hold.
    from promptster_collector.review.export_job import ExportJob, ExportTerms  # noqa: PLC0415 - see above

    terms, start = after_length(data)
    return ExportJob(ExportTerms.decode(terms), data[start:])


def _export(answers: IO[bytes], kind: bytes, job: ExportJob) -> None:
    for chunk in job.chunks():
        _send(answers, b"x", chunk)
    _send(answers, kind, b"")


def obey(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Work until there are no more orders."""
    session = _Session(b"", (), 0)
    while (order := _receive(orders)) is not None:
        kind, data = order
        if kind == b"E":
            _obey_export(orders, answers, _begin_export(data))
        elif kind == b"S":
            session = _begin(data)
        elif kind == b"B":
            _answer_pieces(answers, kind, session.add(data))
        elif kind == b"W":
            _answer_pieces(answers, kind, session.cut())
        elif kind == b"R":
            _send(answers, kind, b"1" if session.holds(data) else b"")
        else:
            _send(answers, kind, _page(data))


def _obey_export(orders: IO[bytes], answers: IO[bytes], job: ExportJob) -> None:
    """Take the events of an export until it is asked for."""
    while (order := _receive(orders)) is not None:
        kind, data = order
        if kind == b"X":
            return _export(answers, kind, job)
        job.add(read_parquet(data) if kind == b"F" else unpack(data))
    return None


class SegmentProcess:
    """The collector's end of it; the process is started when it is needed first. Every call blocks."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process that was started and not ended here."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        """Nothing runs before the first order."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process; the next session starts another one."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            process.communicate(timeout=_END)
        if process.poll() is None:
            process.kill()
            process.communicate()

    def begin(self, content_key: bytes, kinds: Collection[str], *, piece_bytes: int) -> None:
        """A session begins; whatever was there before is forgotten.

        Args:
            content_key: opens its batches.
            kinds: kinds of events that its policy allows.
            piece_bytes: bytes of events in one piece, if it is more than one event.

        Raises:
            SegmentProcessError: the process has ended.
        """
        self._start()
        terms = {"kinds": sorted(kinds), "piece_bytes": piece_bytes}
        self._order(b"S", content_key + json.dumps(terms).encode())

    def _start(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | _ALLOCATOR,
                start_new_session=True,  # an operator's Ctrl-C is for the collector, which ends this in its own time
            )

    def read(
        self, data: bytes, *, after: int = -1, limit: int | None = None, size: int | None = None
    ) -> list[EventRow]:
        """Rows of a Parquet file, as ``read_parquet`` gives them.

        Raises:
            SegmentProcessError: the process has ended.
        """
        self._start()
        wanted = json.dumps({"after": after, "limit": limit, "size": size}).encode()
        return unpack(self._ask(b"P", LENGTH.pack(len(wanted)) + wanted + data))

    def add(self, wire: bytes) -> list[Piece]:
        """Add a batch as it was sent; the pieces that are full now.

        Raises:
            SegmentProcessError: the process has ended.
        """
        return self._pieces(b"B", wire)

    def finish(self) -> list[Piece]:
        """There are no more batches; the pieces that were left.

        Raises:
            SegmentProcessError: the process has ended.
        """
        return self._pieces(b"W", b"")

    def holds(self, number: int, data: bytes) -> bool:
        """Whether the Parquet file of a piece, as it was stored, has exactly the events that were put into it.

        Raises:
            SegmentProcessError: the process has ended.
        """
        return bool(self._ask(b"R", LENGTH.pack(number) + data))

    def begin_export(self, terms: ExportTerms, signed: bytes) -> None:
        """An export begins; ``signed`` is a bundle of the session without events.

        Raises:
            SegmentProcessError: the process has ended.
        """
        self._start()
        encoded = terms.encode()
        self._order(b"E", LENGTH.pack(len(encoded)) + encoded + signed)

    def give(self, events: bytes | Sequence[EventRow]) -> None:
        """Add events to the export: a piece's Parquet file, or rows.

        Raises:
            SegmentProcessError: the process has ended.
        """
        if isinstance(events, bytes):
            self._order(b"F", events)
        else:
            self._order(b"G", pack(events))

    def export(self) -> Generator[bytes]:
        """The export in chunks; to leave it half read, ``kill``.

        Raises:
            SegmentProcessError: the process has ended.
        """
        self._order(b"X", b"")
        while (answer := self._answer())[0] != b"X":
            yield answer[1]

    def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
        self.close()

    def _pieces(self, kind: bytes, data: bytes) -> list[Piece]:
        self._order(kind, data)
        found: list[Piece] = []
        while True:
            answered, made = self._answer()
            if answered == kind:
                return found
            found.append(Piece(Span(*_SPAN.unpack_from(made)), made[_SPAN.size :]))

    def _order(self, kind: bytes, data: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            raise SegmentProcessError
        try:
            _send(self._process.stdin, kind, data)
        except OSError as error:
            self.close()
            raise SegmentProcessError from error

    def _ask(self, kind: bytes, data: bytes) -> bytes:
        self._order(kind, data)
        return self._answer()[1]

    def _answer(self) -> tuple[bytes, bytes]:
        if self._process is None or self._process.stdout is None:
            raise SegmentProcessError
        answer = _receive(self._process.stdout)
        if answer is None:
            self.close()
            raise SegmentProcessError
        return answer


def main() -> None:
    """Be the process: behind the collector when there is too little time or memory for both."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123 - not a file
        file.write("1000")
    obey(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
