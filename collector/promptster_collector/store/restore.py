"""Restores: a backup takes the place of a data folder's databases and segments, without giving back what has ended.

Everything is put together and replayed beside the data folder's own parts first. Then the parts change places; the
marker ``restoring`` stands while they do, and nothing is served from a folder that has it.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from promptster_collector.errors import OptionError, SetupError
from promptster_collector.store.backup_keys import BackupKeys
from promptster_collector.store.ended import NAME
from promptster_collector.store.files import remove_durably, sync_folder, write_durably

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from promptster_collector.settings import Settings
    from promptster_collector.store.backup import Source

_CHECKPOINT: Final = "checkpoint.json"
_PARTS: Final = ("control", "segments", "keystore")


@dataclass(frozen=True, kw_only=True)
class Restore:
    """One restore, with everything that it needs."""

    settings: Settings
    source: Source
    copy: Path
    """Where the newest tombstones are."""

    @classmethod
    def prepare(cls, settings: Settings, source: Source, copy: Path | None) -> Restore:
        """Demand what a restore cannot do without; nothing is changed yet.

        Raises:
            SetupError: the master key or the newest tombstones are missing.
        """
        if not settings.master_key.is_file():
            hint = f"Put it back as {settings.master_key}: no backup has it."
            raise SetupError("the master key is missing", hint=hint, code="master_key")
        if copy is None:
            hint = (
                "Add --tombstones-copy FOLDER: the copy that serve kept, or the data folder's own tombstones if they "
                "were never put back."
            )
            raise SetupError(
                "the newest tombstones are needed: without them, deleted sessions, revoked tokens and used invites "
                "would come back",
                hint=hint,
                code="tombstones_missing",
            )
        if not copy.is_dir():
            raise OptionError(f"there is no folder {copy}", hint="Check --tombstones-copy.", code="tombstones_copy")
        if not (copy / NAME).exists() and not (copy / _CHECKPOINT).exists():
            hint = "Check --tombstones-copy."
            raise SetupError(f"there are no tombstones in {copy}", hint=hint, code="tombstones_missing")
        return cls(settings=settings, source=source, copy=copy)

    def run(self, *, now_ms: int, replay: Callable[[Settings], None]) -> None:
        """Do it; whoever holds the folder's lock calls this.

        Args:
            now_ms: what time it is.
            replay: opens a data folder, and ends in it what has ended.

        Raises:
            SetupError: a part of the backup or the tombstones cannot be used; the data folder is as it was.
        """
        settings = self.settings
        for left in settings.data.glob(".restore.*"):  # by a restore that was cut off
            shutil.rmtree(left)
        keystore = self.source.open_keystore(settings, BackupKeys(settings.backup_keys), now_ms)
        draft = replace(settings, data=settings.data / f".restore.{secrets.token_hex(4)}", tombstones_copy=self.copy)
        try:
            for folder in draft.folders:
                folder.mkdir(mode=0o700, parents=True)
            self._fill(draft, keystore)
            replay(draft)
            self._take_over(draft)
        finally:
            shutil.rmtree(draft.data, ignore_errors=True)

    def _fill(self, draft: Settings, keystore: bytes) -> None:
        settings = self.settings
        write_durably(draft.master_key, settings.master_key.read_bytes())
        if settings.marker.is_file():
            write_durably(draft.marker, settings.marker.read_bytes())
        self.source.copy_data(draft)
        write_durably(draft.databases[1], keystore)
        for name in (NAME, _CHECKPOINT):  # what is here may go further than the copy: the longer one counts
            if (settings.tombstones / name).is_file():
                write_durably(draft.tombstones / name, (settings.tombstones / name).read_bytes())

    def _take_over(self, draft: Settings) -> None:
        """Let the parts change places; a crash in between leaves the marker, and the same restore can be run again."""
        settings = self.settings
        write_durably(settings.restoring, b"")
        settings.tombstones.mkdir(mode=0o700, exist_ok=True)
        for name in (NAME, _CHECKPOINT):  # written in their place: these must not be away for a moment
            if (draft.tombstones / name).is_file():
                write_durably(settings.tombstones / name, (draft.tombstones / name).read_bytes())
        for name in _PARTS:
            old, new = settings.data / name, draft.data / name
            aside = draft.data / f"old.{name}"
            if old.exists():
                old.rename(aside)
            new.rename(old)
            sync_folder(settings.data)
        if not settings.marker.exists():
            write_durably(settings.marker, draft.marker.read_bytes())
        remove_durably(settings.restoring)
