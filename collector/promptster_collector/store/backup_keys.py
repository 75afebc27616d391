"""Keys that encrypt backups of the key store: one for each backup, in no backup, destroyed when it expires.

Without its key a backup is useless, wherever its copies are. This is why there is a day by which the last
backup of destroyed keys is gone.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import EncodingError
from promptster_collector.errors import SetupError, not_permitted
from promptster_collector.settings import DAY_MS
from promptster_collector.store.durable_files import remove_durably, sync, write_durably

if TYPE_CHECKING:
    from pathlib import Path

MOST_DAYS: Final = 7
"""The most days that a backup of the key store can be used."""
_NAME = re.compile(r"[0-9a-f]{16}")
_SIZE: Final = 32


@dataclass(frozen=True, kw_only=True)
class BackupKey:
    """A key that opens the backups of a few days."""

    name: str
    key: bytes
    until_ms: int
    """When it is destroyed; milliseconds since the epoch."""


class BackupKeys:
    """The folder of the backup keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, *, now_ms: int, days: int) -> BackupKey:
        """Create a key; it is on the disk when this returns."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        made = BackupKey(name=secrets.token_hex(8), key=os.urandom(_SIZE), until_ms=now_ms + days * DAY_MS)
        document = {"key": b64u_encode(made.key), "until_ms": made.until_ms}
        write_durably(self._path(made.name), json.dumps(document, sort_keys=True).encode())
        return made

    def find(self, name: str) -> BackupKey | None:
        """A key that still exists.

        Raises:
            SetupError: its file is damaged.
        """
        if _NAME.fullmatch(name) is None or not self._path(name).exists():
            return None
        return self._read(self._path(name))

    def all(self) -> list[BackupKey]:
        """Every key that still exists.

        Raises:
            SetupError: a file is damaged.
        """
        return [self._read(path) for path in sorted(self._folder.glob("*.key"))]

    def destroy(self, name: str) -> None:
        """Overwrite a key's file and remove it durably."""
        path = self._path(name)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        try:
            os.write(descriptor, bytes(os.fstat(descriptor).st_size))
            sync(descriptor)
        finally:
            os.close(descriptor)
        remove_durably(path)

    def destroy_due(self, now_ms: int) -> int:
        """Destroy every expired key; returns how many there were."""
        due = [key.name for key in self.all() if key.until_ms <= now_ms]
        for name in due:
            self.destroy(name)
        return len(due)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.key"

    def _read(self, path: Path) -> BackupKey:
        try:
            document = json.loads(path.read_bytes())
            key, until_ms = b64u_decode(str(document["key"])), int(document["until_ms"])
        except PermissionError as error:  # its key is intact: nobody may be told to remove it
            raise not_permitted(path, error) from error
        except (OSError, ValueError, TypeError, KeyError, EncodingError) as error:
            hint = "Remove it: the backup that it opens is lost."
            raise SetupError(f"the backup key {path.name} is damaged", hint=hint, code="backup_key") from error
        return BackupKey(name=path.stem, key=key, until_ms=until_ms)
