"""A session's events as Parquet, in memory only.

arro3 (arrow-rs) writes files and reads whole ones. DuckDB runs queries: it gets the rows as an Arrow table, in a new
in-memory database for each call that cannot reach files or the network, load extensions or write to disk.
"""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, cast

from arro3.core import Array, DataType, Field, RecordBatch, Schema, Table
from arro3.io import read_parquet, write_parquet

from promptster_collector.store.event_row import EventRow

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import duckdb

_MIB: Final = 1 << 20
_LEAST_MEMORY: Final = 256 * _MIB
"""Memory that a query over even the smallest session may use."""
_COMPRESSION: Final = "zstd(3)"
_SCHEMA: Final = Schema(
    [
        Field("n", DataType.int32()),
        Field("seq", DataType.int64()),
        Field("src", DataType.string()),
        Field("kind", DataType.string()),
        Field("lane", DataType.int64()),
        Field("ms", DataType.int64()),
        Field("mono_ms", DataType.int64()),
        Field("public", DataType.binary()),
        Field("secrets", DataType.binary()),
        Field("blocks", DataType.binary()),
    ]
)
_NAMES: Final = tuple(_SCHEMA.names)
_WITHIN: Final = (
    "WINDOW everything AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)"
    " QUALIFY row_number() OVER everything = 1 OR"
    " sum(octet_length(public) + octet_length(secrets) + octet_length(blocks)) OVER everything <= $size"
)
"""The rows that fit into some bytes, and always the first one."""


def write_rows(rows: Sequence[EventRow]) -> bytes:
    """Rows as one Parquet file; the memory it takes grows with them, so there should be few (``segment_job``)."""
    columns = [Array([getattr(row, name) for row in rows], type=_SCHEMA.field(name).type) for name in _NAMES]
    file = BytesIO()
    batch: RecordBatch = cast("Any", RecordBatch).from_arrays(columns, schema=_SCHEMA)  # its types are not complete
    write_parquet(batch, file, compression=_COMPRESSION, skip_arrow_metadata=True)
    return file.getvalue()


def read_rows(data: bytes) -> list[EventRow]:
    """All rows of a Parquet file, in order."""
    found: list[EventRow] = []
    for batch in read_parquet(BytesIO(data)):
        columns: list[list[Any]] = [cast("Any", batch).column(name).to_pylist() for name in _NAMES]
        found += [_row(values) for values in zip(*columns, strict=True)]
    return found


def query_page(data: bytes, *, after: int, limit: int, size: int) -> list[EventRow]:
    """Some rows of a Parquet file, in order.

    Args:
        data: the file.
        after: only events after this ``seq``.
        limit: at most so many of them.
        size: at most so many bytes of them, but at least one row.
    """
    names = ", ".join(_NAMES)
    first = f"SELECT {names} FROM events WHERE seq > $after ORDER BY seq LIMIT $limit"  # noqa: S608 - no outside text
    query = f"SELECT {names} FROM ({first}) {_WITHIN} ORDER BY seq"  # noqa: S608 - likewise
    with sandbox(4 * len(data)) as connection:
        connection.register("events", Table.from_arrow(read_parquet(BytesIO(data))))
        found = connection.execute(query, {"after": after, "limit": limit, "size": size}).fetchall()
    return [_row(values) for values in found]


def _row(values: Sequence[Any]) -> EventRow:
    return EventRow(**dict(zip(_NAMES, values, strict=True)))


@contextmanager
def sandbox(memory: int) -> Generator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB that reaches no file and no network; ``memory`` is the bytes it may use, within reason."""
    import duckdb  # noqa: PLC0415 - costs memory that sealing should not hold

    connection = duckdb.connect(":memory:")
    try:
        for setting in (
            "temp_directory=''",
            f"memory_limit='{max(memory, _LEAST_MEMORY) // _MIB}MiB'",
            "threads=1",
            "autoinstall_known_extensions=false",
            "autoload_known_extensions=false",
            "allow_community_extensions=false",
            "enable_external_access=false",
            "lock_configuration=true",
        ):
            connection.execute(f"SET {setting}")
        yield connection
    finally:
        connection.close()
