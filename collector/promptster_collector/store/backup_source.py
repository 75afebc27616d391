"""The parts of a backup, as a restore uses them: found, checked, decrypted and copied back."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from promptster_collector.errors import SetupError, not_permitted
from promptster_collector.store.at_rest import UnsealError, unseal
from promptster_collector.store.backup import (
    CONTROL,
    DATA,
    FACTS,
    FORMAT,
    KEYS,
    MAGIC,
    SEGMENTS,
    collector_id,
    header_context,
    keystore_bytes,
    sync_file,
)
from promptster_collector.store.durable_files import sync_folder, write_durably

if TYPE_CHECKING:
    from pathlib import Path

    from promptster_collector.settings import Settings
    from promptster_collector.store.backup_keys import BackupKeys

_HEADER: Final = 4096


@dataclass(frozen=True, kw_only=True)
class BackupSource:
    """Find the parts of a backup."""

    data: Path
    keys: Path | None
    """``None`` to keep the current key store."""

    @classmethod
    def find(cls, folder: Path, keys: Path | None, *, keep_keys: bool = False) -> BackupSource:
        """Find the parts of a backup.

        Args:
            folder: what ``make_backup`` created, or its data part.
            keys: the key store's part, if it is elsewhere.
            keep_keys: keep the current key store.

        Raises:
            SetupError: a part is missing or not a backup.
        """
        data = folder / DATA if (folder / DATA).is_dir() else folder
        sealed = keys or folder / KEYS
        try:
            facts = json.loads((data / FACTS).read_bytes())
        except PermissionError as error:
            raise not_permitted(folder, error) from error
        except (OSError, ValueError) as error:
            hint = "Pass a folder that `promptster-collector backup` created."
            raise SetupError(f"{folder} is not a collector's backup", hint=hint, code="no_backup") from error
        if facts.get("format") != FORMAT:
            raise SetupError("the backup was created by another version", hint="Update promptster.", code="format")
        if keep_keys:
            return cls(data=data, keys=None)
        if not sealed.is_file():
            hint = "Add --keys FILE, or --keep-keys to keep the current key store."
            raise SetupError("the backup of the key store is missing", hint=hint, code="no_key_backup")
        return cls(data=data, keys=sealed)

    def open_keystore(self, settings: Settings, keys: BackupKeys, now_ms: int) -> bytes:
        """The key store's bytes.

        Raises:
            SetupError: it has expired or is damaged.
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
        if magic != MAGIC:
            raise SetupError(f"{self.keys} is not a backup of a key store", hint="Check --keys.", code="no_key_backup")
        key = keys.find(name)
        if key is None:
            if until_ms <= now_ms:
                hint = "Nobody can open it. Restore a newer one."
                raise SetupError("this backup of the key store has expired", hint=hint, code="expired")
            hint = "Restore into the data folder that the backup was made from: its backup-keys folder has the key."
            raise SetupError("the key of this backup is not in backup-keys", hint=hint, code="backup_key_missing")
        try:
            return unseal(key.key, sealed, header_context(header.rstrip(b"\n")))
        except (UnsealError, ValueError) as error:
            hint = "Restore another one."
            raise SetupError("the backup of the key store is damaged", hint=hint, code="damaged") from error

    def require_same_collector(self, settings: Settings) -> None:
        """Demand that data and key store belong to one collector: otherwise nothing could be decrypted.

        Raises:
            SetupError: they are not.
        """
        if json.loads((self.data / FACTS).read_bytes()).get("collector") != collector_id(settings):
            hint = "Nothing was changed. Check SRC and --data."
            raise SetupError("the backup belongs to another collector", hint=hint, code="other_collector")

    def copy_data(self, settings: Settings) -> None:
        """Copy database and segments into a data folder whose subfolders exist."""
        control, _ = settings.databases
        shutil.copyfile(self.data / CONTROL, control)
        control.chmod(0o600)
        sync_file(control)
        for path in sorted((self.data / SEGMENTS).glob("*.segment")):
            shutil.copyfile(path, settings.segments / path.name)
            (settings.segments / path.name).chmod(0o600)
            sync_file(settings.segments / path.name)
        if not settings.marker.exists():
            write_durably(settings.marker, (self.data / settings.marker.name).read_bytes())
        for folder in (settings.segments, control.parent):
            sync_folder(folder)
