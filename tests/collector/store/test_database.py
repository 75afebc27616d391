"""The control database: writes run one after another in groups, are undone singly, and are answered once durable."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError

from promptster_collector.errors import NotFoundError
from promptster_collector.store.database import Database, StorageUnavailableError
from promptster_collector.store.schema import Base, LogOrigin


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database with its tables."""
    opened = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    opened.write_now(Base.metadata.create_all)
    yield opened
    opened.close()


def add(number: int, connection: Connection) -> int:
    """Write one row."""
    connection.execute(insert(LogOrigin).values(number=number, origin="x", size=0, created_ms=0))
    return number


async def numbers(database: Database) -> list[int]:
    """The stored numbers."""
    statement = select(LogOrigin.number).order_by(LogOrigin.number)
    return list(await database.read(lambda connection: connection.execute(statement).scalars().all()))


async def test_writes_share_a_commit(database: Database) -> None:
    """Writes that wait while a transaction runs share the next one."""
    started, go = threading.Event(), threading.Event()

    def block(connection: Connection) -> None:
        del connection
        started.set()
        assert go.wait(20)

    first = asyncio.create_task(database.write(block))
    await asyncio.to_thread(started.wait, 20)
    transactions: list[object] = []

    def note(number: int, connection: Connection) -> int:
        transactions.append(connection.get_transaction())
        return add(number, connection)

    rest = [asyncio.create_task(database.write(partial(note, i))) for i in range(10)]
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*rest) == list(range(10))
    await first
    assert len({id(transaction) for transaction in transactions}) == 1
    assert await numbers(database) == list(range(10))


async def test_a_refusal_undoes_its_own_rows_only(database: Database) -> None:
    """A write that raises leaves nothing, and others in the same commit are kept."""

    def refuse(connection: Connection) -> None:
        add(100, connection)
        raise NotFoundError("no")

    outcomes = await asyncio.gather(
        database.write(lambda c: add(1, c)),
        database.write(refuse),
        database.write(lambda c: add(1, c)),
        database.write(lambda c: add(2, c)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [int, NotFoundError, IntegrityError, int]
    assert await numbers(database) == [1, 2]


async def test_a_failing_database_is_said_and_recovers(database: Database) -> None:
    """A broken statement fails its whole group with a typed error, and the next write works."""
    with pytest.raises(StorageUnavailableError) as failure:
        await database.write(lambda connection: connection.execute(text("select * from nowhere")))
    assert (failure.value.status, failure.value.headers) == (503, {"retry-after": "2"})
    with pytest.raises(StorageUnavailableError):
        await database.read(lambda connection: connection.execute(text("select * from nowhere")))
    await database.write(lambda c: add(7, c))
    assert await numbers(database) == [7]


async def test_readers_do_not_wait_for_the_writer(database: Database) -> None:
    """A read sees the last commit while a write is under way."""
    started, go = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        add(1, connection)
        started.set()
        assert go.wait(20)

    writing = asyncio.create_task(database.write(slow))
    await asyncio.to_thread(started.wait, 20)
    assert await numbers(database) == []
    go.set()
    await writing
    assert await numbers(database) == [1]


async def test_the_file_is_as_durable_as_promised(database: Database, tmp_path: Path) -> None:
    """WAL, full synchronisation and secure deletion are on, on every connection that writes."""
    pragmas = database.write_now(
        lambda c: [
            c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "secure_delete")
        ]
    )
    assert pragmas == ["wal", 2, 1]
    await database.write(lambda c: add(1, c))
    assert database.truncate_wal()
    assert (tmp_path / "test.sqlite3-wal").stat().st_size == 0
    with sqlite3.connect(tmp_path / "test.sqlite3") as other:
        assert other.execute("select number from log_origins").fetchall() == [(1,)]
    other.close()


async def test_close_finishes_what_is_queued(tmp_path: Path) -> None:
    """Closing drops no queued write; closing twice is the same as once."""
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    database.write_now(Base.metadata.create_all)
    waiting = [asyncio.create_task(database.write(partial(add, i))) for i in range(20)]
    await asyncio.sleep(0)
    await asyncio.to_thread(database.close)
    database.close()
    assert await asyncio.gather(*waiting) == list(range(20))


async def test_a_closed_database_takes_nothing(tmp_path: Path) -> None:
    """After the end a write is refused with a typed error, and no caller waits for ever."""
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    await asyncio.to_thread(database.close)
    with pytest.raises(StorageUnavailableError):
        await database.write(partial(add, 1))
    with pytest.raises(StorageUnavailableError):
        await asyncio.to_thread(database.write_now, partial(add, 1))
