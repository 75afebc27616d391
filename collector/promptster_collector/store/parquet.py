"""A session's events as Parquet, written and read by DuckDB entirely in memory.

Each call has a DuckDB of its own that can reach no file of the machine, loads no extension and never spills to disk:
its only file system is a dictionary that goes with the call.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    import duckdb

_FILE = "memory://session.parquet"
_LOAD_ROWS = 2000
"""Rows handed to DuckDB in one statement."""
_LOAD_SIZE = 64 << 10
"""Bytes of a row that is handed over alone: lists of long values are copied several times on their way."""
_MIB = 1 << 20
_FLOOR = 256 * _MIB
"""Memory that even the smallest session may use."""
_WITHIN = (
    "WINDOW everything AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)"
    " QUALIFY row_number() OVER everything = 1 OR"
    " sum(octet_length(public) + octet_length(secrets) + octet_length(blocks)) OVER everything <= {size}"
)
"""The rows that fit into some bytes, and the first one."""

_TYPES = {
    "n": "INTEGER",
    "seq": "BIGINT",
    "src": "VARCHAR",
    "kind": "VARCHAR",
    "lane": "BIGINT",
    "ms": "BIGINT",
    "mono_ms": "BIGINT",
    "public": "BLOB",
    "secrets": "BLOB",
    "blocks": "BLOB",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRow:
    """One event on its way into or out of a segment."""

    n: int
    """The batch it came in."""
    seq: int
    src: str
    kind: str
    lane: int
    ms: int
    mono_ms: int
    public: bytes
    """The event's exact public bytes."""
    secrets: bytes
    """Salts and stored values as on the wire; empty when there are none."""
    blocks: bytes
    """Blocks first used by this event, as frames."""

    @property
    def size(self) -> int:
        """Bytes of everything binary in the row."""
        return len(self.public) + len(self.secrets) + len(self.blocks)


def memory_files() -> Any:
    """A file system of its own for each call: fsspec's is shared by the whole process otherwise."""
    # duckdb and fsspec cost memory that an idle collector should not hold.
    memory: Any = import_module("fsspec.implementations.memory")
    files = memory.MemoryFileSystem(skip_instance_cache=True)
    files.store = {}
    files.pseudo_dirs = [""]
    return files


@contextmanager
def sandbox(files: Any, memory: int) -> Generator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB that reaches nothing but ``files``, which are emptied at the end."""
    import duckdb  # noqa: PLC0415 - see above

    connection = duckdb.connect(":memory:")
    try:
        connection.register_filesystem(files)
        for setting in (
            "temp_directory=''",
            f"memory_limit='{max(memory, _FLOOR) // _MIB}MiB'",
            "threads=1",
            "autoinstall_known_extensions=false",
            "autoload_known_extensions=false",
            "allow_community_extensions=false",
            "disabled_filesystems='LocalFileSystem'",
            "lock_configuration=true",
        ):
            connection.execute(f"SET {setting}")
        yield connection
    finally:
        connection.close()
        for file in files.store.values():
            file.truncate(0)  # they hold each other, and would stay until the garbage collector comes by
        files.store.clear()


def write_parquet(rows: Sequence[EventRow]) -> bytes:
    """Rows as one Parquet file; the memory it takes grows with them, so they should be few (``segment_process``)."""
    files = memory_files()
    columns = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
    with sandbox(files, 4 * sum(row.size for row in rows) + _FLOOR) as connection:
        connection.execute(f"CREATE TABLE events ({columns})")
        for part in _loads(rows):
            _load(connection, part)
        connection.execute(f"COPY events TO '{_FILE}' (FORMAT parquet, COMPRESSION zstd)")
        data: bytes = files.cat_file(_FILE)
    return data


def _loads(rows: Iterable[EventRow]) -> Generator[list[EventRow]]:
    """Rows in their order as they are handed over: short ones together, every long one alone."""
    part: list[EventRow] = []
    for row in rows:
        if part and (row.size >= _LOAD_SIZE or len(part) == _LOAD_ROWS):
            yield part
            part = []
        part.append(row)
        if row.size >= _LOAD_SIZE:
            yield part
            part = []
    if part:
        yield part


def _load(connection: duckdb.DuckDBPyConnection, part: Sequence[EventRow]) -> None:
    if len(part) == 1:
        places = ", ".join(f"${name}" for name in _TYPES)
        values: dict[str, Any] = {name: getattr(part[0], name) for name in _TYPES}
        connection.execute(f"INSERT INTO events VALUES ({places})", values)  # noqa: S608 - no outside text
    else:
        lists = ", ".join(f"unnest(${name}::{kind}[])" for name, kind in _TYPES.items())
        values = {name: [getattr(row, name) for row in part] for name in _TYPES}
        connection.execute(f"INSERT INTO events SELECT {lists}", values)


def read_parquet(data: bytes, *, after: int = -1, limit: int | None = None, size: int | None = None) -> list[EventRow]:
    """Rows of a Parquet file in order.

    Args:
        data: the file.
        after: only events behind this ``seq``.
        limit: at most so many of them.
        size: at most so many bytes of them, but one in any case.
    """
    files = memory_files()
    files.pipe_file(_FILE, data)
    names = ", ".join(_TYPES)
    cut = "" if limit is None else f" LIMIT {int(limit)}"
    query = f"SELECT {names} FROM read_parquet('{_FILE}') WHERE seq > $after ORDER BY seq{cut}"  # noqa: S608 - no outside text
    if size is not None:
        query = f"SELECT {names} FROM ({query}) {_WITHIN.format(size=int(size))} ORDER BY seq"  # noqa: S608 - likewise
    with sandbox(files, 4 * len(data) + _FLOOR) as connection:
        found = connection.execute(query, {"after": after}).fetchall()
    return [EventRow(**dict(zip(_TYPES, row, strict=True))) for row in found]
