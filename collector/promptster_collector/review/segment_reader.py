"""Reads segments in helper processes: pages in one that stays for a while, whole sessions each in their own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from promptster_collector.errors import BusyError
from promptster_collector.review.helper_process import HelperProcess, HelperProcessError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from promptster_collector.store.event_row import EventRow

_STAY = 20.0
"""Seconds for which the process of the last page waits for another one."""


class ReadingFailedError(BusyError):
    """The helper process ended early, most likely for lack of memory."""

    default_code = "reading_failed"
    default_status = 503


def _failed() -> ReadingFailedError:
    return ReadingFailedError("the session cannot be read right now", retry_after=30)


class SegmentReader:
    """Reads decrypted Parquet files; every call blocks."""

    def __init__(self, *, stay: float = _STAY) -> None:
        self._stay = stay
        self._lock = threading.Lock()
        self._process = HelperProcess()
        self._end: threading.Timer | None = None

    @property
    def pid(self) -> int | None:
        """The process that waits for the next page."""
        return self._process.pid

    def whole(self, pieces: Iterable[bytes]) -> Generator[Sequence[EventRow]]:
        """The rows of one piece after another, in a process of their own, so that nobody else waits.

        Raises:
            ReadingFailedError: the process ended early.
        """
        with HelperProcess() as process:
            for data in pieces:
                try:
                    rows = process.read(data)
                except HelperProcessError as error:
                    raise _failed() from error
                yield rows

    def page(self, data: bytes, *, after: int, limit: int, size: int) -> Sequence[EventRow]:
        """At most ``limit`` rows and ``size`` bytes after ``after``, and at least one row.

        Raises:
            ReadingFailedError: the process ended early.
        """
        with self._lock:
            self._cancel()
            try:
                return self._process.page(data, after=after, limit=limit, size=size)
            except HelperProcessError as error:
                raise _failed() from error
            finally:
                self._end = threading.Timer(self._stay, self.close)
                self._end.daemon = True
                self._end.start()

    def close(self) -> None:
        """End the process; the next page starts another one."""
        with self._lock:
            self._cancel()
            self._process.close()

    def _cancel(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None
