"""Restores a backup: it replaces a data folder's databases and segments, without bringing back what has ended.

Everything is assembled, and endings are reapplied, next to the data folder's parts. Then the parts are swapped; the
marker ``restoring`` names the new ones meanwhile. A folder with the marker is not served, and the next restore finishes
an interrupted one first: no folder stays half old and half new.
"""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from promptster_collector.errors import OptionError, SetupError
from promptster_collector.store.backup_keys import BackupKeys
from promptster_collector.store.durable_files import remove_durably, sync_folder, write_durably
from promptster_collector.store.ending_lines import NAME, read_lines, require_continuation
from promptster_collector.store.keys.keystore import read_ended_head

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from promptster_collector.settings import Settings
    from promptster_collector.store.backup_source import BackupSource

_CHECKPOINT: Final = "checkpoint.json"
_PARTS: Final = ("control", "segments", "keystore")
_DRAFT: Final = re.compile(r"\.restore\.[0-9a-f]{8}")


@dataclass(frozen=True, kw_only=True)
class Restore:
    """Where a backup is restored from and to."""

    settings: Settings
    source: BackupSource
    copy: Path
    """Where the newest tombstones are."""

    @classmethod
    def prepare(cls, settings: Settings, source: BackupSource, copy: Path | None) -> Restore:
        """Check what a restore needs; nothing is changed yet.

        Raises:
            SetupError: the master key or the newest tombstones are missing.
        """
        if not settings.master_key.is_file():
            hint = f"Copy it to {settings.master_key}: no backup contains it."
            raise SetupError("the master key is missing", hint=hint, code="master_key")
        if copy is None:
            hint = (
                "Add --tombstones-copy FOLDER: the copy that serve keeps, or the data folder's own tombstones if they "
                "were never restored from a backup."
            )
            raise SetupError(
                "the newest tombstones are required: without them, deleted sessions, revoked tokens and used invites "
                "would come back",
                hint=hint,
                code="tombstones_missing",
            )
        if not copy.is_dir():
            raise OptionError(f"there is no folder {copy}", hint="Check --tombstones-copy.", code="tombstones_copy")
        if not (copy / NAME).is_file():
            hint = "Check --tombstones-copy."
            raise SetupError(f"no tombstones in {copy}", hint=hint, code="tombstones_missing")
        return cls(settings=settings, source=source, copy=copy)

    def run(self, *, now_ms: int, replay: Callable[[Settings], None]) -> None:
        """Run the restore; the caller holds the folder's lock.

        Args:
            now_ms: the current time.
            replay: opens a data folder and reapplies endings to it.

        Raises:
            SetupError: a part of the backup or the tombstones cannot be used; the data folder is unchanged.
        """
        settings = self.settings
        finish_restore(settings)
        keystore = self.source.open_keystore(settings, BackupKeys(settings.backup_keys), now_ms)
        draft = _draft(settings, f".restore.{secrets.token_hex(4)}")
        try:
            for folder in draft.folders:
                folder.mkdir(mode=0o700, parents=True)
            self._fill(draft, keystore)
            self.source.require_same_collector(draft)
            replay(replace(draft, tombstones_copy=self.copy))
            self._require_newest(draft)
            write_durably(settings.restoring, draft.data.name.encode())
        except BaseException:
            if not settings.restoring.exists():
                shutil.rmtree(draft.data, ignore_errors=True)
            raise
        finish_restore(settings)

    def _fill(self, draft: Settings, keystore: bytes) -> None:
        settings = self.settings
        write_durably(draft.master_key, settings.master_key.read_bytes())
        if settings.marker.is_file():
            write_durably(draft.marker, settings.marker.read_bytes())
        self.source.copy_data(draft)
        write_durably(draft.databases[1], keystore)
        for name in (NAME, _CHECKPOINT):  # the folder's own may be longer than the copy: the longer one counts
            if (settings.tombstones / name).is_file():
                write_durably(draft.tombstones / name, (settings.tombstones / name).read_bytes())

    def _require_newest(self, draft: Settings) -> None:
        """Demand that the tombstones are as long as the current key store says."""
        keystore = self.settings.databases[1]
        if keystore.is_file():
            lines, _ = read_lines(draft.tombstones / NAME)
            require_continuation(lines, read_ended_head(self.settings.keystore_url), where="the tombstones")


def _draft(settings: Settings, name: str) -> Settings:
    return replace(settings, data=settings.data / name)


def finish_restore(settings: Settings) -> None:
    """Finish an interrupted restore and remove its remains; the caller holds the folder's lock.

    Once the marker exists, the new parts are complete; the old ones are dropped only then.

    Raises:
        SetupError: the new parts are missing.
    """
    if settings.restoring.exists():
        name = settings.restoring.read_bytes().decode(errors="replace")
        draft = _draft(settings, name)
        left = [part for part in _PARTS if not (draft.data / part).exists() and not (settings.data / part).exists()]
        if _DRAFT.fullmatch(name) is None or left:
            hint = f"Restore them from a copy of the whole folder, then remove {settings.restoring}."
            raise SetupError(
                "a restore of this data folder was interrupted, and its parts are missing",
                hint=hint,
                code="incomplete_restore",
            )
        _take_over(settings, draft)
    for left_behind in settings.data.glob(".restore.*"):
        shutil.rmtree(left_behind)
    if settings.restoring.exists():
        remove_durably(settings.restoring)


def _take_over(settings: Settings, draft: Settings) -> None:
    """Swap the parts; steps that are done are skipped."""
    settings.tombstones.mkdir(mode=0o700, exist_ok=True)
    for name in (NAME, _CHECKPOINT):  # replaced in place: they must never be missing
        if (draft.tombstones / name).is_file():
            write_durably(settings.tombstones / name, (draft.tombstones / name).read_bytes())
    for name in _PARTS:
        old, new = settings.data / name, draft.data / name
        if not new.exists():
            continue
        if old.exists():
            old.rename(draft.data / f"old.{name}")
        new.rename(old)
        sync_folder(settings.data)
    if not settings.marker.exists():
        write_durably(settings.marker, draft.marker.read_bytes())
