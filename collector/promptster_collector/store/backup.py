"""Backups: a copy of the data, and apart from it a sealed copy of the key store; taken while the collector serves.

The control database comes first and the key store last, so that no row in a backup lacks a key that was there. Neither
part has the master key, the tombstones or the key that the key store's part is sealed with.
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
from promptster_collector.store.files import sync, sync_folder, write_durably
from promptster_collector.store.keys.keystore import read_records
from promptster_collector.store.sealing import UnsealError, associated_data, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from promptster_collector.settings import Settings
    from promptster_collector.store.backup_keys import BackupKey, BackupKeys

DATA: Final = "data"
KEYS: Final = "keystore.backup"
_CONTROL: Final = "control.sqlite3"
_SEGMENTS: Final = "segments"
_FACTS: Final = "backup.json"
_FORMAT: Final = 1
_MAGIC: Final = b"promptster-keystore-backup\n"
_HEADER: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Made:
    """A finished backup."""

    data: Path
    keys: Path | None
    """``None`` where this collector makes no backups of its keys."""
    until_ms: int | None
    """When the key store's part cannot be used any more."""


def make_backup(settings: Settings, target: Path, *, keys: BackupKeys, days: int, now_ms: int) -> Made:
    """Back a data folder up to a folder that there is not yet.

    Args:
        settings: whose.
        target: the folder to make; it has its name when everything in it is on the disk.
        keys: where the sealing key goes.
        days: how long the key store's part can be used; with 0 there is none.
        now_ms: what time it is.

    Raises:
        OptionError: there is something of this name, no folder to make it in, or that is in the data folder.
        SetupError: a part cannot be copied.
    """
    if target.exists() or target.is_symlink():
        raise OptionError(f"{target} already exists", hint="Name a new folder. Nothing was written.", code="taken")
    if target.parent.resolve().is_relative_to(settings.data.resolve()):
        hint = "Name a folder on another disk."
        raise OptionError("a backup inside the data folder goes with it", hint=hint, code="inside_data")
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
    segments = folder / _SEGMENTS
    for made in (folder, segments):
        made.mkdir(mode=0o700)
    control, _ = settings.databases
    with _reading(control) as source:
        copy = folder / _CONTROL
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        source.execute("VACUUM INTO ?", (str(copy),))
    _sync_file(folder / _CONTROL)
    for path in sorted(settings.segments.glob("*.segment")):
        with contextlib.suppress(FileNotFoundError):  # erased just now: the tombstones know
            shutil.copyfile(path, segments / path.name)
            (segments / path.name).chmod(0o600)
            _sync_file(segments / path.name)
    sync_folder(segments)
    write_durably(folder / settings.marker.name, settings.marker.read_bytes())
    facts = {"format": _FORMAT, "made_ms": now_ms, "collector": _collector(settings)}
    write_durably(folder / _FACTS, json.dumps(facts, sort_keys=True).encode())
    sync_folder(folder)


def _collector(settings: Settings) -> str:
    """The name of a collector's first key.

    Raises:
        SetupError: its key store cannot be read.
    """
    try:
        return read_records(settings.keystore_url)[0][1]
    except (SQLAlchemyError, IndexError) as error:
        hint = "Check that the data folder is whole."
        raise SetupError("the key store cannot be read", hint=hint, code="backup") from error


def _seal_keystore(settings: Settings, path: Path, key: BackupKey) -> None:
    plain = keystore_bytes(settings)
    header = json.dumps({"format": _FORMAT, "key": key.name, "until_ms": key.until_ms}, sort_keys=True).encode()
    write_durably(path, _MAGIC + header + b"\n" + seal(key.key, plain, _place(header)))


def _place(header: bytes) -> bytes:
    return associated_data("", "", f"backup/{header.decode()}")


def keystore_bytes(settings: Settings) -> bytes:
    """A key store as it is at one moment, as a file's bytes; its keys are wrapped by the master key."""
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
    """A database as it is at one moment, also while somebody writes to it."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    try:
        yield connection
    except sqlite3.Error as error:
        hint = "Check that there is room, and that the data folder is whole."
        raise SetupError(f"{path.name} cannot be backed up: {error}", hint=hint, code="backup") from error
    finally:
        connection.close()


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A backup's parts, checked for what they are."""

    data: Path
    keys: Path | None
    """``None`` where the key store stays the one that is there."""

    @classmethod
    def find(cls, folder: Path, keys: Path | None, *, keep_keys: bool = False) -> Source:
        """The parts of a backup.

        Args:
            folder: what ``make_backup`` made, or its data part.
            keys: the key store's part, where it lies elsewhere.
            keep_keys: the key store stays the one that is there.

        Raises:
            SetupError: a part is missing, or is none.
        """
        data = folder / DATA if (folder / DATA).is_dir() else folder
        sealed = keys or folder / KEYS
        try:
            facts = json.loads((data / _FACTS).read_bytes())
        except (OSError, ValueError) as error:
            hint = "Name what `promptster-collector backup` made."
            raise SetupError(f"{folder} is not a collector's backup", hint=hint, code="no_backup") from error
        if facts.get("format") != _FORMAT:
            raise SetupError("the backup was made by another version", hint="Update promptster.", code="format")
        if keep_keys:
            return cls(data=data, keys=None)
        if not sealed.is_file():
            hint = "Name it: --keys FILE. With the key store that is here: --keep-keys."
            raise SetupError("the backup of the key store is missing", hint=hint, code="no_key_backup")
        return cls(data=data, keys=sealed)

    def open_keystore(self, settings: Settings, keys: BackupKeys, now_ms: int) -> bytes:
        """The key store's bytes.

        Raises:
            SetupError: its time is over, or it is damaged.
        """
        if self.keys is None:
            return keystore_bytes(settings)
        keys.destroy_due(now_ms)
        with self.keys.open("rb") as file:
            magic, header, sealed = file.readline(_HEADER), file.readline(_HEADER), file.read()
        try:
            facts = json.loads(header)
            name, until_ms = str(facts["key"]), int(facts["until_ms"])
        except (ValueError, TypeError, KeyError):
            magic, name, until_ms = b"", "", 0
        if magic != _MAGIC:
            raise SetupError(f"{self.keys} is not a backup of a key store", hint="Check --keys.", code="no_key_backup")
        key = keys.find(name)
        if key is None:
            if until_ms <= now_ms:
                hint = "Nobody can. Restore a newer one."
                raise SetupError("this backup of the key store cannot be opened any more", hint=hint, code="expired")
            hint = "Restore into the data folder that the backup was made from: its backup-keys have it."
            raise SetupError("the key of this backup is not in backup-keys", hint=hint, code="backup_key_missing")
        try:
            return unseal(key.key, sealed, _place(header.rstrip(b"\n")))
        except (UnsealError, ValueError) as error:
            hint = "Restore another one."
            raise SetupError("the backup of the key store is damaged", hint=hint, code="damaged") from error

    def require_same_collector(self, settings: Settings) -> None:
        """Demand that data and key store are of one collector: otherwise nothing could be opened any more.

        Raises:
            SetupError: they are not.
        """
        if json.loads((self.data / _FACTS).read_bytes()).get("collector") != _collector(settings):
            hint = "Nothing was changed. Check SRC and --data."
            raise SetupError("the backup is another collector's", hint=hint, code="other_collector")

    def copy_data(self, settings: Settings) -> None:
        """Put database and segments into a data folder whose folders exist."""
        control, _ = settings.databases
        shutil.copyfile(self.data / _CONTROL, control)
        control.chmod(0o600)
        _sync_file(control)
        for path in sorted((self.data / _SEGMENTS).glob("*.segment")):
            shutil.copyfile(path, settings.segments / path.name)
            (settings.segments / path.name).chmod(0o600)
            _sync_file(settings.segments / path.name)
        if not settings.marker.exists():
            write_durably(settings.marker, (self.data / settings.marker.name).read_bytes())
        for folder in (settings.segments, control.parent):
            sync_folder(folder)
