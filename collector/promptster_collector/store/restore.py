"""Restores: a backup takes the place of a data folder's databases and segments, without giving back what has ended.

Everything is put together and replayed beside the data folder's own parts first. Then the parts change places; the
marker ``restoring`` names what takes their place while they do. Nothing is served from a folder that has it, and the
next restore ends what was cut off before it begins: a folder is never half the one and half the other for good.
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
    """One restore, with everything that it needs."""

    settings: Settings
    source: BackupSource
    copy: Path
    """Where the newest tombstones are."""

    @classmethod
    def prepare(cls, settings: Settings, source: BackupSource, copy: Path | None) -> Restore:
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
        if not (copy / NAME).is_file():
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
        for name in (NAME, _CHECKPOINT):  # what is here may go further than the copy: the longer one counts
            if (settings.tombstones / name).is_file():
                write_durably(draft.tombstones / name, (settings.tombstones / name).read_bytes())

    def _require_newest(self, draft: Settings) -> None:
        """The key store that is here knows how far the tombstones had come, also where the backup does not."""
        keystore = self.settings.databases[1]
        if keystore.is_file():
            lines, _ = read_lines(draft.tombstones / NAME)
            require_continuation(lines, read_ended_head(self.settings.keystore_url), where="the tombstones")


def _draft(settings: Settings, name: str) -> Settings:
    return replace(settings, data=settings.data / name)


def finish_restore(settings: Settings) -> None:
    """End a restore that was cut off, and remove what one left behind; whoever holds the folder's lock calls this.

    From the moment at which the marker is there, the new parts are whole: the old ones are given up only then.

    Raises:
        SetupError: the new parts are not where the marker says.
    """
    if settings.restoring.exists():
        name = settings.restoring.read_bytes().decode(errors="replace")
        draft = _draft(settings, name)
        left = [part for part in _PARTS if not (draft.data / part).exists() and not (settings.data / part).exists()]
        if _DRAFT.fullmatch(name) is None or left:
            hint = f"Put them back from a copy of the whole folder, then remove {settings.restoring}."
            raise SetupError(
                "a restore of this data folder was cut off, and its parts are not there any more",
                hint=hint,
                code="incomplete_restore",
            )
        _take_over(settings, draft)
    for left_behind in settings.data.glob(".restore.*"):
        shutil.rmtree(left_behind)
    if settings.restoring.exists():
        remove_durably(settings.restoring)


def _take_over(settings: Settings, draft: Settings) -> None:
    """Let the parts change places; what was done already is not done again."""
    settings.tombstones.mkdir(mode=0o700, exist_ok=True)
    for name in (NAME, _CHECKPOINT):  # written in their place: these must not be away for a moment
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
