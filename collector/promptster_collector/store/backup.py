"""Backups: a copy of the data, and apart from it an encrypted copy of the key store, made while the collector runs.

The control database is copied first and the key store last, so that no row in a backup lacks its key. Neither
part contains the master key, the tombstones or the key that encrypts the key store's part.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from promptster_collector.errors import OptionError, SetupError
from promptster_collector.store.at_rest import associated_data, seal
from promptster_collector.store.durable_files import sync, sync_folder, write_durably
from promptster_collector.store.keys.keystore import read_records

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from promptster_collector.settings import Settings
    from promptster_collector.store.backup_keys import BackupKey, BackupKeys

DATA: Final = "data"
KEYS: Final = "keystore.backup"
CONTROL: Final = "control.sqlite3"
SEGMENTS: Final = "segments"
FACTS: Final = "backup.json"
FORMAT: Final = 1
MAGIC: Final = b"promptster-keystore-backup\n"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A finished backup."""

    data: Path
    keys: Path | None
    """``None`` if this collector makes no key backups."""
    until_ms: int | None
    """When the key store's part expires."""


def make_backup(settings: Settings, target: Path, *, keys: BackupKeys, days: int, now_ms: int) -> Made:
    """Back up a data folder to a new folder.

    Args:
        settings: the collector's settings.
        target: the folder to create; it gets its name when everything in it is on the disk.
        keys: where the backup key is kept.
        days: how long the key store's part can be used; 0 for none.
        now_ms: the current time.

    Raises:
        OptionError: the folder exists, its parent does not, or it would be in the data folder.
        SetupError: a part cannot be copied.
    """
    if target.exists() or target.is_symlink():
        raise OptionError(f"{target} already exists", hint="Choose a new folder. Nothing was written.", code="taken")
    if target.parent.resolve().is_relative_to(settings.data.resolve()):
        hint = "Choose a folder on another disk."
        raise OptionError("a backup inside the data folder would be lost with it", hint=hint, code="inside_data")
    if not target.parent.is_dir():
        raise OptionError(f"there is no folder {target.parent}", hint="Create it first.", code="no_folder")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    key: BackupKey | None = None
    try:
        draft.mkdir(mode=0o700)
        _copy_data(settings, draft / DATA, now_ms)
        if days:
            key = keys.make(now_ms=now_ms, days=days)
            _seal_keystore(settings, draft / KEYS, key)
        sync_folder(draft)
        draft.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        if key is not None:
            keys.destroy(key.name)
        raise
    until = None if key is None else key.until_ms
    return Made(data=target / DATA, keys=target / KEYS if days else None, until_ms=until)


def _copy_data(settings: Settings, folder: Path, now_ms: int) -> None:
    segments = folder / SEGMENTS
    for made in (folder, segments):
        made.mkdir(mode=0o700)
    control, _ = settings.databases
    with _reading(control) as source:
        copy = folder / CONTROL
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        source.execute("VACUUM INTO ?", (str(copy),))
    sync_file(folder / CONTROL)
    for path in sorted(settings.segments.glob("*.segment")):
        with contextlib.suppress(FileNotFoundError):  # it was just erased, and the tombstones say so
            shutil.copyfile(path, segments / path.name)
            (segments / path.name).chmod(0o600)
            sync_file(segments / path.name)
    sync_folder(segments)
    write_durably(folder / settings.marker.name, settings.marker.read_bytes())
    facts = {"format": FORMAT, "made_ms": now_ms, "collector": collector_id(settings)}
    write_durably(folder / FACTS, json.dumps(facts, sort_keys=True).encode())
    sync_folder(folder)


def collector_id(settings: Settings) -> str:
    """The id of a collector's first key.

    Raises:
        SetupError: its key store cannot be read.
    """
    try:
        return read_records(settings.keystore_url)[0][1]
    except (SQLAlchemyError, IndexError) as error:
        hint = "Check that the data folder is complete."
        raise SetupError("the key store cannot be read", hint=hint, code="backup") from error


def _seal_keystore(settings: Settings, path: Path, key: BackupKey) -> None:
    plain = keystore_bytes(settings)
    header = json.dumps({"format": FORMAT, "key": key.name, "until_ms": key.until_ms}, sort_keys=True).encode()
    write_durably(path, MAGIC + header + b"\n" + seal(key.key, plain, header_context(header)))


def header_context(header: bytes) -> bytes:
    """The associated data that binds an encrypted key store to its header."""
    return associated_data("", "", f"backup/{header.decode()}")


def keystore_bytes(settings: Settings) -> bytes:
    """A consistent copy of the key store as a file's bytes; its keys stay wrapped by the master key."""
    _, keystore = settings.databases
    with _reading(keystore) as source:
        copy = sqlite3.connect(":memory:")
        try:
            source.backup(copy)
            return copy.serialize()
        finally:
            copy.close()


@contextlib.contextmanager
def _reading(path: Path) -> Generator[sqlite3.Connection]:
    """A consistent view of a database, even during writes."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    try:
        yield connection
    except sqlite3.Error as error:
        hint = "Check that there is free space and that the data folder is complete."
        raise SetupError(f"cannot back up {path.name}: {error}", hint=hint, code="backup") from error
    finally:
        connection.close()


def sync_file(path: Path) -> None:
    """Return when a file that was just copied is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
