"""The helper process itself: ``python -m promptster_collector.review.helper_main DESCRIPTOR``.

It obeys the orders that come over the pipe (``helper_messages``) and ends when the other end is closed. Nothing of a
session reaches a file, an argument or the environment. An order that fails ends the process, which the collector
reports.
"""

from __future__ import annotations

import contextlib
import os
import sys
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, assert_never

from promptster_collector.review.helper_messages import (
    ORDERS,
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
    ReadPage,
    ReadPiece,
    Rows,
    receive,
    send,
)
from promptster_collector.review.segment_job import SegmentJob
from promptster_collector.store.parquet import query_page, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster_collector.review.export_job import ExportJob
    from promptster_collector.review.helper_messages import Answer, ExportOrder, ReadOrder, SegmentOrder

    Pipe = Connection[Any, Any]

_NICE = 5
"""Steps by which this work comes after the collector's own."""


class _OutOfOrderError(Exception):
    """An order came before the one that begins its job."""


class Helper:
    """Obeys orders: one segment and one export at a time."""

    def __init__(self, connection: Pipe) -> None:
        self._connection = connection
        self._segment: SegmentJob | None = None
        self._export: ExportJob | None = None

    def run(self) -> None:
        """Work until there are no more orders."""
        while (order := receive(self._connection, ORDERS)) is not None:
            match order:
                case BeginSegment() | AddBatch() | FinishSegment() | ComparePiece():
                    self._obey_segment(order)
                case ReadPiece() | ReadPage():
                    self._obey_read(order)
                case BeginExport() | ExportPiece() | ExportRows() | FinishExport():
                    self._obey_export(order)
                case _:
                    assert_never(order)

    def _obey_segment(self, order: SegmentOrder) -> None:
        if isinstance(order, BeginSegment):
            self._segment = SegmentJob(order)
            return
        if self._segment is None:
            raise _OutOfOrderError
        match order:
            case AddBatch():
                self._answer_all(self._segment.add(order.wire))
            case FinishSegment():
                self._answer_all(self._segment.finish())
            case ComparePiece():
                send(self._connection, Compared(self._segment.holds(order.number, order.data)))
            case _:
                assert_never(order)

    def _obey_read(self, order: ReadOrder) -> None:
        match order:
            case ReadPiece():
                rows = read_rows(order.data)
            case ReadPage():
                rows = query_page(order.data, after=order.after, limit=order.limit, size=order.size)
            case _:
                assert_never(order)
        send(self._connection, Rows(rows))

    def _obey_export(self, order: ExportOrder) -> None:
        if isinstance(order, BeginExport):
            # What makes exports costs memory that sealing should not hold.
            from promptster_collector.review.export_job import ExportJob  # noqa: PLC0415 - see above

            self._export = ExportJob(order.terms, order.signed)
            return
        if self._export is None:
            raise _OutOfOrderError
        match order:
            case ExportPiece():
                self._export.add(read_rows(order.data))
            case ExportRows():
                self._export.add(order.rows)
            case FinishExport():
                export, self._export = self._export, None
                self._answer_all(map(Chunk, export.chunks()))
            case _:
                assert_never(order)

    def _answer_all(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            send(self._connection, answer)
        send(self._connection, Done())


def main() -> None:
    """Give way to the collector for processor time and, on Linux, for memory; then obey."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123 - not a file
        file.write("1000")
    with Connection(int(sys.argv[1])) as connection:
        Helper(connection).run()


if __name__ == "__main__":
    main()
