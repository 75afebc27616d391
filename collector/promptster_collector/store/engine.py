"""Database engines, with SQLite's pragmas and the way that transactions begin."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool, QueuePool

if TYPE_CHECKING:
    from collections.abc import Sequence

_FULL_SYNC = ("PRAGMA fullfsync=ON", "PRAGMA checkpoint_fullfsync=ON")
"""On macOS ``fsync`` ends in the drive's cache; elsewhere these change nothing."""
_CONTROL_PRAGMAS = (
    *_FULL_SYNC,
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=10000",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-4096",
)
_KEYSTORE_PRAGMAS = (
    *_FULL_SYNC,
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=EXTRA",
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=10000",
    "PRAGMA temp_store=MEMORY",
)
_CHECKPOINT_PRAGMAS = (*_FULL_SYNC, "PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=200", "PRAGMA synchronous=FULL")


class Use(Enum):
    """What an engine's connections are for."""

    READ = "BEGIN"
    WRITE = "BEGIN IMMEDIATE"


def _prepare_sqlite(engine: Engine, pragmas: Sequence[str], begin: str) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(pragma)

    def do_begin(connection: Any) -> None:
        connection.execute(begin)

    # A listener would do the same, and would slow down every statement.
    engine.dialect.do_begin = do_begin  # type: ignore[method-assign, assignment]


def _engine(url: str, use: Use, pragmas: Sequence[str], **options: Any) -> Engine:
    # Errors are logged by type only; their texts must not contain stored values either.
    engine = create_engine(url, hide_parameters=True, **options)
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, pragmas, use.value)
    return engine


def control_engine(url: str, use: Use) -> Engine:
    """An engine for the control database: one connection to write with, a few to read with."""
    size = 1 if use is Use.WRITE else 4
    options: dict[str, Any] = {"poolclass": QueuePool, "pool_size": size, "max_overflow": 0}
    if url.startswith("sqlite"):
        options["connect_args"] = {"check_same_thread": False}
    return _engine(url, use, _CONTROL_PRAGMAS, **options)


def keystore_engine(url: str, use: Use) -> Engine:
    """An engine for the key store: each use opens a connection, so that no file handle outlives a destroyed key."""
    return _engine(url, use, _KEYSTORE_PRAGMAS, poolclass=NullPool)


def truncate_wal(url: str) -> bool:
    """Move the write-ahead log into the database, so that deleted pages do not stay in it.

    Returns whether that was done: a running read keeps the log for a moment, and is not waited for.
    """
    engine = _engine(url, Use.READ, _CHECKPOINT_PRAGMAS, poolclass=NullPool)
    if engine.dialect.name != "sqlite":
        return True
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        row = cursor.fetchone()
    finally:
        raw.close()
    return row is not None and row[0] == 0
