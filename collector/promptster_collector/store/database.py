"""The control database as the services see it: reads run side by side, writes run one after another.

All writes pass one thread that takes everything waiting into one transaction (group commit): sixteen batches then cost
one fsync. A write is answered only after that commit. Each write stands in a savepoint, so that its refusal undoes its
own rows and nobody else's.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from promptster_collector.errors import BusyError
from promptster_collector.store.engine import Use, control_engine, truncate_wal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Row

    AnyRow = Row[*tuple[Any, ...]]
    """A row whose columns the reader knows."""

T = TypeVar("T")

_GROUP = 64
"""Writes in one transaction at most: bounds how long the first of them waits."""


class StorageUnavailableError(BusyError):
    """The database could not take or give data just now; nothing was changed."""

    default_code = "storage_unavailable"
    default_status = 503


@dataclass(slots=True)
class _Write:
    job: Callable[[Connection], Any]
    future: Future[Any]
    savepoint: bool


def _unavailable() -> StorageUnavailableError:
    return StorageUnavailableError("the collector's database is not available", retry_after=2)


class Database:
    """One control database, opened by one process."""

    def __init__(self, url: str) -> None:
        """Open nothing yet but the writer's thread."""
        self._url = url
        self._reading = control_engine(url, Use.READ)
        self._writing = control_engine(url, Use.WRITE)
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-read")
        self._writer = threading.Thread(target=self._write_loop, name="store-write", daemon=True)
        self._writer.start()
        self._closed = False

    async def read(self, job: Callable[[Connection], T]) -> T:
        """Run a job in a read transaction of its own, on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, job)

    def read_now(self, job: Callable[[Connection], T]) -> T:
        """The same, waiting here."""
        try:
            with self._reading.connect() as connection:
                return job(connection)
        except SQLAlchemyError as error:
            raise _unavailable() from error

    async def write(self, job: Callable[[Connection], T], *, savepoint: bool = True) -> T:
        """Run a job in the next group commit; returns after the commit is durable.

        A job that raises before its first statement that changes anything may go without a savepoint.
        """
        return await asyncio.wrap_future(self._submit(job, savepoint=savepoint))

    def write_now(self, job: Callable[[Connection], T]) -> T:
        """The same, waiting here; for the command line and for threads."""
        return self._submit(job, savepoint=True).result()

    def _submit(self, job: Callable[[Connection], T], *, savepoint: bool) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._queue.put(_Write(job, future, savepoint))
        return future

    def truncate_wal(self) -> bool:
        """Leave nothing of deleted rows in the write-ahead log; whether that could be done at once."""
        return truncate_wal(self._url)

    async def fold_log(self) -> None:
        """The same on a thread, as one of the things done now and then."""
        await asyncio.to_thread(self.truncate_wal)

    def close(self) -> None:
        """Finish what is queued, then let go of the files."""
        if self._closed:
            return
        self._closed = True
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

    def _gather(self, first: _Write) -> tuple[list[_Write], bool]:
        group = [first]
        while len(group) < _GROUP:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return group, True
            group.append(item)
        return group, False

    def _commit(self, group: list[_Write]) -> None:
        outcomes: list[tuple[_Write, Any, BaseException | None]] = []
        try:
            with self._writing.begin() as connection:
                outcomes.extend(self._run(connection, write) for write in group)
        except SQLAlchemyError:
            # The connection is thrown away: after a failed fsync only a fresh look at the file can be trusted.
            self._writing.dispose()
            for write in group:
                write.future.set_exception(_unavailable())
            return
        for write, value, error in outcomes:
            if error is None:
                write.future.set_result(value)
            else:
                write.future.set_exception(error)

    @staticmethod
    def _run(connection: Connection, write: _Write) -> tuple[_Write, Any, BaseException | None]:
        try:
            if not write.savepoint:
                return write, write.job(connection), None
            with connection.begin_nested():
                return write, write.job(connection), None
        except IntegrityError as error:
            if not write.savepoint:
                raise
            return write, None, error
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the write
            return write, None, error
