"""The control database for the services: reads run in parallel, writes one after another.

One thread runs all waiting writes in one transaction (group commit): sixteen batches then cost one fsync. A write
returns only after that commit. Each write has a savepoint, so that its refusal undoes its own rows only.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from promptster_collector.errors import BusyError
from promptster_collector.store.disk_reserve import STORAGE_FAULTS, StorageFullError, WritePriority
from promptster_collector.store.engine import Use, control_engine, truncate_wal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Row

    from promptster_collector.store.disk_reserve import DiskReserve

    AnyRow = Row[*tuple[Any, ...]]
    """A row whose columns the reader knows."""

T = TypeVar("T")

_GROUP = 64
"""Writes in one transaction at most, which bounds how long the first of them waits."""


class StorageUnavailableError(BusyError):
    """The database cannot be used at the moment; nothing was changed."""

    default_code = "storage_unavailable"
    default_status = 503


@dataclass(slots=True)
class _Write:
    job: Callable[[Connection], Any]
    savepoint: bool
    future: Future[Any] | asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop | None
    """The loop of the future; ``None`` for a future of threads."""
    priority: WritePriority = WritePriority.ORDINARY
    """How much of the disk reserve it may use."""
    value: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Set the future's result."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.value)
        else:
            self.future.set_exception(self.error)


def _settle(writes: list[_Write]) -> None:
    for write in writes:
        write.settle()


def _refused(group: list[_Write], kept: list[_Write]) -> list[_Write]:
    """Mark writes as refused for lack of space, except ``kept``; returns ``kept``, to be tried again."""
    for write in group:
        write.value, write.error = None, StorageFullError()
    for write in kept:
        write.error = None
    return kept


def _unavailable() -> StorageUnavailableError:
    return StorageUnavailableError("the collector's database is not available", retry_after=2)


class Database:
    """The control database of one process."""

    def __init__(self, url: str, reserve: DiskReserve | None = None) -> None:
        """Start the writer's thread; nothing is opened yet."""
        self._url = url
        self._reserve = reserve
        self._reading = control_engine(url, Use.READ)
        self._writing = control_engine(url, Use.WRITE)
        self._queue: queue.SimpleQueue[list[_Write] | None] = queue.SimpleQueue()
        self._turn = threading.Lock()
        self._closed = False
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-read")
        self._writer = threading.Thread(target=self._write_loop, name="store-write", daemon=True)
        self._writer.start()

    async def read(self, job: Callable[[Connection], T]) -> T:
        """Run a job in its own read transaction, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, job)

    def read_now(self, job: Callable[[Connection], T]) -> T:
        """Run a job in its own read transaction; blocks."""
        try:
            with self._reading.connect() as connection:
                return job(connection)
        except STORAGE_FAULTS as error:
            raise _unavailable() from error

    async def write(
        self,
        job: Callable[[Connection], T],
        *,
        savepoint: bool = True,
        priority: WritePriority = WritePriority.ORDINARY,
    ) -> T:
        """Run a job in the next group commit; returns when the commit is durable.

        A job that raises only before it changes anything needs no savepoint. A job that may use the disk
        reserve is run again when that freed space.

        Raises:
            StorageFullError: there is no space for it.
            StorageUnavailableError: the database failed for another reason.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._turn:
            if self._closed:
                raise _unavailable()
            gathered = self._gathered.setdefault(loop, [])
            if not gathered:
                # Wake the writer's thread once for all writes of this turn of the loop.
                loop.call_soon(self._hand_over, loop)
            gathered.append(_Write(job, savepoint, future, loop, priority))
        return await future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._turn:
            writes = self._gathered.pop(loop, None)
        if writes:
            self._queue.put(writes)

    def write_now(self, job: Callable[[Connection], T], *, priority: WritePriority = WritePriority.ORDINARY) -> T:
        """Run a job in the next group commit; blocks, for the command line and for threads."""
        future: Future[T] = Future()
        with self._turn:
            if self._closed:
                raise _unavailable()
            self._queue.put([_Write(job, savepoint=True, future=future, loop=None, priority=priority)])
        return future.result()

    def truncate_wal(self) -> bool:
        """Remove deleted rows from the write-ahead log; returns whether that was possible at once."""
        if self._reserve is None:
            return truncate_wal(self._url)
        try:
            return self._reserve.use(WritePriority.ENDING, lambda: truncate_wal(self._url))
        except StorageFullError:
            return False

    async def checkpoint_wal(self) -> None:
        """Truncate the write-ahead log in a thread; a sweep."""
        await asyncio.to_thread(self.truncate_wal)

    def close(self) -> None:
        """Finish queued writes, then close the files."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            for writes in self._gathered.values():
                self._queue.put(writes)
            self._gathered.clear()
            self._queue.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._reading.dispose()
        self._writing.dispose()

    def _write_loop(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            group, last = self._gather(first)
            self._commit(group)
            if last:
                return

    def _gather(self, first: list[_Write]) -> tuple[list[_Write], bool]:
        group = list(first)
        while len(group) < _GROUP:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return group, True
            group += item
        return group, False

    def _commit(self, group: list[_Write]) -> None:
        wanted = self._admitted(group)
        while wanted:
            try:
                with self._writing.begin() as connection:
                    for write in wanted:
                        self._run(connection, write)
                break
            except Exception as error:  # noqa: BLE001 - the callers must get an answer, and the thread must survive
                # Drop the connection: after a failed fsync only a new one can be trusted.
                self._writing.dispose()
                wanted = self._after(error, wanted)
        self._answer(group)

    def _admitted(self, group: list[_Write]) -> list[_Write]:
        """The writes to try: while the reserve is in use, no ordinary ones."""
        if self._reserve is None or not self._reserve.is_low:
            return group
        return _refused(group, [write for write in group if write.priority is not WritePriority.ORDINARY])

    def _after(self, error: Exception, group: list[_Write]) -> list[_Write]:
        """Set the error of failed writes; returns those to try again after the reserve freed space."""
        if self._reserve is None or not self._reserve.explains(error):
            for write in group:
                write.error = _unavailable()
            return []
        with contextlib.suppress(*STORAGE_FAULTS):  # remains of failed writes in the log take space that others need
            truncate_wal(self._url)
        for priority in (WritePriority.ENDING, WritePriority.READING):
            kept = [write for write in group if write.priority.value >= priority.value]
            if kept and self._reserve.give(priority):
                return _refused(group, kept)
        return _refused(group, [])

    @staticmethod
    def _answer(group: list[_Write]) -> None:
        """Set all results; each event loop is woken once."""
        by_loop: dict[asyncio.AbstractEventLoop | None, list[_Write]] = {}
        for write in group:
            by_loop.setdefault(write.loop, []).append(write)
        for loop, writes in by_loop.items():
            if loop is None:
                _settle(writes)
                continue
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody is waiting
                loop.call_soon_threadsafe(_settle, writes)

    @staticmethod
    def _run(connection: Connection, write: _Write) -> None:
        try:
            if write.savepoint:
                with connection.begin_nested():
                    write.value = write.job(connection)
            else:
                write.value = write.job(connection)
        except IntegrityError as error:
            if not write.savepoint:
                raise
            write.error = error
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - raised for the caller of the write
            write.error = error
