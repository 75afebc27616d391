"""The data folder as a whole: its marker, its lock, and checks of what is in it."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from promptster.times import utc_minute
from promptster_collector.errors import OptionError, SetupError, not_permitted
from promptster_collector.settings import DAY_MS
from promptster_collector.store.backup_keys import MOST_DAYS, BackupKeys
from promptster_collector.store.durable_files import write_durably

if TYPE_CHECKING:
    from promptster_collector.settings import Settings

_FORMAT = 1


class FolderLock:
    """The lock of a data folder, for one process at a time; the system releases it when that process ends."""

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
        """Release the lock."""
        os.close(self._descriptor)


def require_room(settings: Settings) -> None:
    """Demand a new or empty folder: ``init`` restricts its permissions, and must not do that to other data.

    Raises:
        SetupError: it is a file, or a folder that is not empty.
    """
    if not settings.data.exists():
        return
    if not settings.data.is_dir():
        raise SetupError(f"{settings.data} is a file", hint="Choose a new folder.", code="data_taken")
    for entry in settings.data.iterdir():
        if entry not in settings.folders or not entry.is_dir() or any(entry.iterdir()):
            hint = "Choose a new folder."
            raise SetupError(f"{settings.data} is not empty", hint=hint, code="data_taken")


def mark_ready(settings: Settings) -> None:
    """Write the marker that ``init`` is complete, with the stated days of key backups."""
    facts: dict[str, int] = {"format": _FORMAT}
    if settings.key_backup_days is not None:
        facts["key_backup_days"] = settings.key_backup_days
    write_durably(settings.marker, json.dumps(facts).encode())


def as_stated(settings: Settings) -> Settings:
    """Settings, with the days of key backups that the data folder states.

    Raises:
        SetupError: it states a value that this version does not know.
    """
    days = json.loads(settings.marker.read_bytes()).get("key_backup_days")
    if days is not None and (type(days) is not int or not 0 <= days <= MOST_DAYS):
        raise SetupError("this data folder was created by another version", hint="Update promptster.", code="format")
    return replace(settings, key_backup_days=days)


def state_days(settings: Settings, days: int | None, *, now_ms: int) -> None:
    """Change the stated days of key backups; no existing backup may last longer.

    Raises:
        OptionError: an existing backup lasts longer.
    """
    longest = max((key.until_ms for key in BackupKeys(settings.backup_keys).all()), default=0)
    if days is not None and longest > now_ms + days * DAY_MS:
        raise OptionError(
            f"an earlier backup of the keys can be used until {utc_minute(longest)}",
            hint="Change it after that, or delete the files in backup-keys first: their backups are then lost.",
            code="key_backups_live",
        )
    mark_ready(replace(settings, key_backup_days=days))


def require_data_folder(settings: Settings) -> None:
    """Demand a complete data folder that ``init`` created.

    Raises:
        SetupError: the folder cannot be used.
    """
    hint = "Create one: promptster-collector init --data FOLDER --org NAME --owner-email ADDRESS"
    try:
        marker = json.loads(settings.marker.read_bytes())
    except PermissionError as error:
        raise not_permitted(settings.data, error) from error
    except (OSError, ValueError) as error:
        raise SetupError(
            f"{settings.data} is not a collector's data folder", hint=hint, code="not_initialised"
        ) from error
    if settings.restoring.exists():
        hint = "Run `promptster-collector restore` again."
        raise SetupError("a restore of this data folder was interrupted", hint=hint, code="incomplete_restore")
    if not isinstance(marker, dict) or cast("dict[str, object]", marker).get("format") != _FORMAT:
        raise SetupError("this data folder was created by another version", hint="Update promptster.", code="format")
    missing = [folder.name for folder in settings.folders if not folder.is_dir()]
    missing += [path.name for path in settings.databases if not missing and not path.is_file()]
    if missing:
        raise SetupError(f"the data folder lacks {', '.join(missing)}", hint="Restore it.", code="incomplete_data")
