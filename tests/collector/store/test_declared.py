"""Everything stored is declared, and the schema that migrations make is the one that the code uses."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, inspect
from tests.helpers.candidate import started
from tests.helpers.site import Site

from promptster_collector.errors import SetupError
from promptster_collector.privacy.storage_map import CONTROL, FILES, KEYSTORE, storage_map
from promptster_collector.store.keys.schema import KeyBase
from promptster_collector.store.migrate import migrate_all
from promptster_collector.store.schema import Base


def test_every_stored_column_is_declared(site: Site) -> None:
    """The database files have exactly the tables and columns of the storage map."""
    said = {(entry.file, entry.table, entry.column) for entry in storage_map() if entry.table}
    found: set[tuple[str, str, str]] = set()
    for file in (CONTROL, KEYSTORE):
        engine = create_engine(f"sqlite:///{site.data / file}")
        inspector = inspect(engine)
        for table in inspector.get_table_names():
            found |= {(file, table, column["name"]) for column in inspector.get_columns(table)}
        engine.dispose()
    assert found == said


def test_every_file_is_declared(site: Site) -> None:
    """Every file that a working collector leaves in its folder is in the storage map."""
    candidate = started(site.client, site.token)
    candidate.close()
    candidate.put(site.client, 0)
    other = started(site.client, site.token, email="o@example.com")
    site.drain()
    site.client.post(f"/v1/sessions/{other.session}/withdraw", json=other.withdrawal())
    patterns = [entry.file for entry in FILES] + [
        f"{file}{end}" for file in (CONTROL, KEYSTORE) for end in ("", "-wal", "-shm")
    ]
    names = [path.relative_to(site.data).as_posix() for path in site.data.rglob("*") if path.is_file()]
    assert {name.split("/")[0] for name in names} >= {"control", "keystore", "segments", "tombstones", "master.key"}
    assert [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)] == []


def test_a_forgotten_column_is_found() -> None:
    """A column without a declaration makes the storage map fail."""
    metadata = MetaData()
    Table("t", metadata, Column("undeclared", Integer))
    with pytest.raises(SetupError, match=r"t\.undeclared"):
        storage_map(metadata)


def test_content_and_identifiers_are_never_in_clear() -> None:
    """No declaration allows session content or a direct identifier without a cipher and a key."""
    for entry in storage_map():
        if entry.data_class in {"session content", "direct identifier"}:
            assert entry.cipher.startswith(("AES-256-GCM", "HMAC")), entry
            assert entry.key


def test_organisations_data_is_scoped() -> None:
    """Every table except the log's own has the organisation."""
    unscoped = {table.name for table in Base.metadata.sorted_tables if "organisation" not in table.columns}
    assert unscoped == {"organisations", "log_origins", "log_nodes", "log_checkpoints"}


def test_migrations_make_the_schema(tmp_path: Path) -> None:
    """The schema after all migrations is exact, and running them again changes nothing."""
    urls = {"control": f"sqlite:///{tmp_path / 'c.sqlite3'}", "keys": f"sqlite:///{tmp_path / 'k.sqlite3'}"}
    for _ in range(2):
        migrate_all(database_url=urls["control"], keystore_url=urls["keys"])
    for name, metadata in (("control", Base.metadata), ("keys", KeyBase.metadata)):
        engine = create_engine(urls[name])
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        engine.dispose()
