"""A data folder as a whole: the marker that ``init`` leaves in it, what is missing from it, and its lock."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from promptster_collector.errors import OptionError, SetupError
from promptster_collector.settings import DAY_MS
from promptster_collector.store.backup_keys import MOST_DAYS, BackupKeys
from promptster_collector.store.durable_files import write_durably

if TYPE_CHECKING:
    from promptster_collector.settings import Settings

_FORMAT = 1


class FolderLock:
    """Held by the one process that works on a data folder; the system lets go of it when that process ends."""

    def __init__(self, settings: Settings) -> None:
        """Take the lock.

        Raises:
            SetupError: another process holds it.
        """
        self._descriptor = os.open(settings.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            hint = "Stop the other promptster-collector first."
            raise SetupError("another collector is serving this data folder", hint=hint, code="data_in_use") from error

    def release(self) -> None:
        """Let go."""
        os.close(self._descriptor)


def require_room(settings: Settings) -> None:
    """Refuse a place that holds something else: ``init`` closes its folder to others, and must not close theirs.

    Raises:
        SetupError: it is a file, or a folder with something in it.
    """
    if not settings.data.exists():
        return
    if not settings.data.is_dir():
        raise SetupError(f"{settings.data} is a file", hint="Name a new folder.", code="data_taken")
    for entry in settings.data.iterdir():
        if entry not in settings.folders or not entry.is_dir() or any(entry.iterdir()):
            hint = "Name a new folder."
            raise SetupError(f"{settings.data} already holds something else", hint=hint, code="data_taken")


def mark_ready(settings: Settings) -> None:
    """Say that ``init`` came to its end, and what is stated about backups of the keys."""
    facts: dict[str, int] = {"format": _FORMAT}
    if settings.key_backup_days is not None:
        facts["key_backup_days"] = settings.key_backup_days
    write_durably(settings.marker, json.dumps(facts).encode())


def as_stated(settings: Settings) -> Settings:
    """Settings together with what the data folder says itself.

    Raises:
        SetupError: it says something that this version does not keep.
    """
    days = json.loads(settings.marker.read_bytes()).get("key_backup_days")
    if days is not None and (type(days) is not int or not 0 <= days <= MOST_DAYS):
        raise SetupError("this data folder was made by another version", hint="Update promptster.", code="format")
    return replace(settings, key_backup_days=days)


def state_days(settings: Settings, days: int | None, *, now_ms: int) -> None:
    """Change what is stated about backups of the key store; there must be none that lives longer.

    Raises:
        OptionError: a backup that was made before can be used for longer than that.
    """
    longest = max((key.until_ms for key in BackupKeys(settings.backup_keys).all()), default=0)
    if days is not None and longest > now_ms + days * DAY_MS:
        until = datetime.fromtimestamp(longest / 1000, tz=UTC)
        raise OptionError(
            f"an earlier backup of the keys can be used until {until:%Y-%m-%d %H:%M} UTC",
            hint="State it after that, or delete the files in backup-keys first: their backups are lost then.",
            code="key_backups_live",
        )
    mark_ready(replace(settings, key_backup_days=days))


def require_data_folder(settings: Settings) -> None:
    """Refuse folders that ``init`` did not make, and halves of one.

    Raises:
        SetupError: the folder cannot be used.
    """
    hint = "Create one: promptster-collector init --data FOLDER --org NAME --owner-email ADDRESS"
    try:
        marker = json.loads(settings.marker.read_bytes())
    except (OSError, ValueError) as error:
        raise SetupError(
            f"{settings.data} is not a collector's data folder", hint=hint, code="not_initialised"
        ) from error
    if settings.restoring.exists():
        hint = "Run promptster-collector restore again."
        raise SetupError("a restore of this data folder was cut off", hint=hint, code="incomplete_restore")
    if not isinstance(marker, dict) or cast("dict[str, object]", marker).get("format") != _FORMAT:
        raise SetupError("this data folder was made by another version", hint="Update promptster.", code="format")
    missing = [folder.name for folder in settings.folders if not folder.is_dir()]
    missing += [path.name for path in settings.databases if not missing and not path.is_file()]
    if missing:
        raise SetupError(f"the data folder lacks {', '.join(missing)}", hint="Restore it.", code="incomplete_data")
