"""What the collector stores: files are declared here, columns in the schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster_collector.errors import SetupError
from promptster_collector.store.declare import Cipher, DataClass, Retention, holdings
from promptster_collector.store.keys.schema import KeyBase
from promptster_collector.store.schema import Base

if TYPE_CHECKING:
    from sqlalchemy import MetaData

CONTROL = "control/control.sqlite3"
KEYSTORE = "keystore/keystore.sqlite3"
MIGRATIONS = "alembic_version"
"""The migration tool's own table, in both databases."""


@dataclass(frozen=True, kw_only=True)
class StorageEntry:
    """One entry of the storage map."""

    file: str
    table: str
    column: str
    data_class: str
    cipher: str
    key: str
    retention: str


def _file(name: str, data: DataClass, cipher: Cipher, key: str, retention: Retention) -> StorageEntry:
    return StorageEntry(
        file=name,
        table="",
        column="",
        data_class=data.value,
        cipher=cipher.value,
        key=key,
        retention=retention.value,
    )


FILES = (
    _file("settings.json", DataClass.OPERATIONAL, Cipher.NONE, "", Retention.COLLECTOR),
    _file("serve.lock", DataClass.OPERATIONAL, Cipher.NONE, "", Retention.COLLECTOR),
    _file("master.key", DataClass.SECRET, Cipher.NONE, "file mode 0600", Retention.COLLECTOR),
    _file("segments/*.segment", DataClass.CONTENT, Cipher.SEALED, "segment key", Retention.SESSION),
    _file("tombstones/ended.jsonl", DataClass.PUBLIC, Cipher.NONE, "", Retention.COLLECTOR),
    _file("tombstones/*.tombstone", DataClass.PUBLIC, Cipher.NONE, "", Retention.COLLECTOR),
    _file("tombstones/checkpoint.json", DataClass.PUBLIC, Cipher.NONE, "", Retention.COLLECTOR),
    _file("backup-keys/*.key", DataClass.SECRET, Cipher.NONE, "file mode 0600", Retention.BACKUP),
    _file("reserve/piece.*", DataClass.OPERATIONAL, Cipher.NONE, "", Retention.COLLECTOR),
    _file("restoring", DataClass.OPERATIONAL, Cipher.NONE, "", Retention.RESTORE),
)


def _tables(file: str, metadata: MetaData) -> list[StorageEntry]:
    found: list[StorageEntry] = []
    for (table, column), holding in holdings(metadata).items():
        if holding is None:
            raise SetupError(f"the column {table}.{column} has no declaration", code="undeclared_column")
        found.append(
            StorageEntry(
                file=file,
                table=table,
                column=column,
                data_class=holding.data.value,
                cipher=holding.cipher.value,
                key=holding.key,
                retention=holding.retention.value,
            )
        )
    version = StorageEntry(
        file=file,
        table=MIGRATIONS,
        column="version_num",
        data_class=DataClass.OPERATIONAL.value,
        cipher=Cipher.NONE.value,
        key="",
        retention=Retention.COLLECTOR.value,
    )
    return [*found, version]


def storage_map(control: MetaData = Base.metadata, keystore: MetaData = KeyBase.metadata) -> list[StorageEntry]:
    """Every file, table and column.

    Raises:
        SetupError: a column is not declared.
    """
    return [*FILES, *_tables(CONTROL, control), *_tables(KEYSTORE, keystore)]
