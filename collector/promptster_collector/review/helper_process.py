"""The collector's end of a helper process, which makes and reads Parquet files.

A session's events stay in memory after they were used, and DuckDB is large: both are gone when the helper ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from multiprocessing.connection import Pipe
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import msgspec

from promptster_collector.review.helper_messages import (
    ANSWERS,
    AddBatch,
    BeginExport,
    BeginSegment,
    Chunk,
    Compared,
    ComparePiece,
    Done,
    ExportPiece,
    ExportRows,
    FinishExport,
    FinishSegment,
    Piece,
    ReadPage,
    ReadPiece,
    Rows,
    receive,
    send,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Sequence
    from multiprocessing.connection import Connection

    from promptster_collector.review.helper_messages import Answer, ExportTerms, Order
    from promptster_collector.store.event_row import EventRow

_MAIN: Final = "promptster_collector.review.helper_main"
_ALLOCATOR: Final = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_ARENA_MAX": "1"}
"""The C library of Linux would keep the memory of freed long values, and ask the kernel for more for the next ones."""
_END: Final = 60.0
"""Seconds that the process has to end when there is nothing more for it."""

A = TypeVar("A", Piece, Compared, Rows, Chunk)


class HelperProcessError(Exception):
    """The process ended before its work: too little memory, most likely, or it was killed."""


class HelperProcess:
    """A helper process, started when it is first needed. Every call blocks."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None

    @property
    def pid(self) -> int | None:
        """The process that was started here and not ended yet."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        """Nothing runs before the first order."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process; the next order starts another one."""
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_END)
        if process.poll() is None:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
        self.close()

    def begin(self, content_key: bytes, kinds: Collection[str], *, piece_bytes: int) -> None:
        """Begin a segment; an earlier one is forgotten.

        Args:
            content_key: opens the session's batches.
            kinds: kinds of events that its policy allows.
            piece_bytes: bytes of events in one piece, if it is more than one event.

        Raises:
            HelperProcessError: the process has ended.
        """
        self._start()
        self._order(BeginSegment(content_key, sorted(kinds), piece_bytes))

    def add(self, wire: bytes) -> list[Piece]:
        """Add a batch as it was sent; returns the pieces that are full now.

        Raises:
            HelperProcessError: the process has ended.
        """
        return list(self._all(AddBatch(wire), Piece))

    def finish(self) -> list[Piece]:
        """There are no more batches; returns the pieces that were left.

        Raises:
            HelperProcessError: the process has ended.
        """
        return list(self._all(FinishSegment(), Piece))

    def holds(self, number: int, data: bytes) -> bool:
        """Whether the Parquet file of a piece, as it was stored, has exactly the events that were put into it.

        Raises:
            HelperProcessError: the process has ended.
        """
        return self._one(ComparePiece(number, data), Compared).same

    def read(self, data: bytes) -> Sequence[EventRow]:
        """All rows of a Parquet file.

        Raises:
            HelperProcessError: the process has ended.
        """
        self._start()
        return self._one(ReadPiece(data), Rows).rows

    def page(self, data: bytes, *, after: int, limit: int, size: int) -> Sequence[EventRow]:
        """Some rows of a Parquet file, as ``query_page`` returns them.

        Raises:
            HelperProcessError: the process has ended.
        """
        self._start()
        return self._one(ReadPage(data, after, limit, size), Rows).rows

    def begin_export(self, terms: ExportTerms, signed: bytes) -> None:
        """Begin an export; ``signed`` is a bundle of the session without events.

        Raises:
            HelperProcessError: the process has ended.
        """
        self._start()
        self._order(BeginExport(terms, signed))

    def give(self, events: bytes | Sequence[EventRow]) -> None:
        """Add events to the export: a piece's Parquet file, or rows.

        Raises:
            HelperProcessError: the process has ended.
        """
        self._order(ExportPiece(events) if isinstance(events, bytes) else ExportRows(events))

    def export(self) -> Generator[bytes]:
        """The export in chunks; to stop halfway, call ``kill``.

        Raises:
            HelperProcessError: the process has ended.
        """
        for chunk in self._all(FinishExport(), Chunk):
            yield chunk.data

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = Pipe()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", _MAIN, str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=os.environ | _ALLOCATOR,
                    start_new_session=True,  # Ctrl-C is for the collector, which ends this in its own time
                )
            except BaseException:
                ours.close()
                raise
        self._connection = ours

    def _order(self, order: Order) -> None:
        if self._connection is None:
            raise HelperProcessError
        try:
            send(self._connection, order)
        except OSError as error:
            self.close()
            raise HelperProcessError from error

    def _answer(self) -> Answer:
        try:
            answer = None if self._connection is None else receive(self._connection, ANSWERS)
        except msgspec.MsgspecError:
            answer = None
        if answer is None:
            self.close()
            raise HelperProcessError
        return answer

    def _one(self, order: Order, expected: type[A]) -> A:
        self._order(order)
        return self._expected(expected, self._answer())

    def _all(self, order: Order, expected: type[A]) -> Generator[A]:
        self._order(order)
        while not isinstance(answer := self._answer(), Done):
            yield self._expected(expected, answer)

    def _expected(self, expected: type[A], answer: Answer) -> A:
        if not isinstance(answer, expected):
            self.kill()
            raise HelperProcessError
        return answer
