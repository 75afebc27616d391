"""Signed checkpoints on disk: one folder for each log, one file with the exact bytes of each note.

::

    logs/KEY/heads                       the origins that were the newest log, in order
    logs/KEY/refused                     how often in a row the collector answered without a proof
    logs/KEY/ORIGIN/SIZE-ROOT.new        not yet shown to be one log with the others
    logs/KEY/ORIGIN/SIZE-ROOT.held       shown to be one log with every other ``held``
    logs/KEY/ORIGIN/SIZE-ROOT.split      contradicts others here
    logs/KEY/ORIGIN/evidence-NAME.json   what was found, with both notes

KEY is the id of the log's key, ORIGIN a hash of the log's name. The suffix of a file is its standing, so becoming
``held`` is one rename. Notes with more signature lines, such as those of witnesses, are kept like any other.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from promptster.durable import make_missing_folders, sync_folder, write_private
from promptster.protocol.errors import LogError
from promptster.protocol.log_consistency import View
from promptster.protocol.signing import kid
from promptster.protocol.transparency_log import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from promptster.paths import Paths

MOST: Final = 256
"""The most notes kept for one log and standing; those that cover the fewest entries are removed first."""
MOST_EVIDENCE: Final = 64
_HEADS = "heads"
_REFUSED = "refused"
_MOST_ORIGINS = 256


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Lock a folder against other commands of ours; it is created if needed."""
    make_missing_folders(folder)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class NoteStanding(StrEnum):
    """What is known about a kept note; the suffix of its file."""

    NEW = "new"
    HELD = "held"
    SPLIT = "split"


@dataclass(frozen=True)
class Kept:
    """One note on the disk."""

    view: View
    standing: NoteStanding
    path: Path

    @property
    def size(self) -> int:
        """The number of entries that it covers."""
        return self.view.checkpoint.size


class KeptLog:
    """The kept notes of one log, which is a key and an origin."""

    def __init__(self, folder: Path, public_key: bytes, origin: str) -> None:
        """Remember the folder, without reading or creating it."""
        self.folder = folder / hashlib.sha256(origin.encode()).hexdigest()[:32]
        self._key = public_key
        self._origin = origin

    def notes(self) -> list[Kept]:
        """All kept notes, those that cover the fewest entries first; damaged files are ignored."""
        found: list[Kept] = []
        for path in self._files():
            kept = self._read(path)
            if kept is not None:
                found.append(kept)
        return found

    def _files(self, pattern: str = "[0-9]*-*.*") -> list[Path]:
        return sorted(self.folder.glob(pattern))

    def _read(self, path: Path) -> Kept | None:
        try:
            standing = NoteStanding(path.suffix[1:])
            checkpoint = Checkpoint.parse(path.read_bytes().decode())
            checkpoint.verify(self._key)
        except (OSError, ValueError, LogError):
            return None
        return Kept(View(checkpoint, self._key), standing, path) if checkpoint.origin == self._origin else None

    def keep(self, view: View, standing: NoteStanding = NoteStanding.NEW) -> None:
        """Keep a note durably; each tree is kept once, and a held note stays held.

        Raises:
            OSError: the disk cannot be written.
        """
        name = f"{view.checkpoint.size:016d}-{view.checkpoint.root.hex()}"
        with _alone(self.folder):
            known = next(filter(None, map(self._read, self._files(f"{name}.*"))), None)
            if known is None:
                self._make_room(standing)
                write_private(self.folder / f"{name}.{standing.value}", view.checkpoint.note.encode())
            elif standing is not NoteStanding.NEW and known.standing not in {NoteStanding.HELD, standing}:
                self._rename(known, standing)

    def begin(self) -> Kept | None:
        """The held note that covers the most entries. If none is held yet, trust begins with the first note kept.

        Raises:
            OSError: the disk cannot be written.
        """
        with _alone(self.folder):
            notes = self.notes()
            held = [kept for kept in notes if kept.standing is NoteStanding.HELD]
            new = [kept for kept in notes if kept.standing is NoteStanding.NEW]
            if held or not new:
                return held[-1] if held else None
            self._rename(new[0], NoteStanding.HELD)
        return next((kept for kept in self.notes() if kept.standing is NoteStanding.HELD), None)

    def _rename(self, kept: Kept, standing: NoteStanding) -> None:
        kept.path.replace(kept.path.with_suffix(f".{standing.value}"))
        sync_folder(self.folder)

    def _make_room(self, standing: NoteStanding) -> None:
        """Remove notes until there is room for one more."""
        same = self._files(f"[0-9]*-*.{standing.value}")
        for path in same[: max(0, len(same) - MOST + 1)]:
            path.unlink(missing_ok=True)

    def keep_evidence(self, document: dict[str, Any]) -> Path | None:
        """Save a finding once; ``None`` if the most findings are already saved.

        Raises:
            OSError: the disk cannot be written.
        """
        notes = json.dumps([document["kind"], document["kept"], document["shown"]]).encode()
        path = self.folder / f"evidence-{hashlib.sha256(notes).hexdigest()[:16]}.json"
        if not path.exists():
            if len(list(self.folder.glob("evidence-*.json"))) >= MOST_EVIDENCE:
                return None
            write_private(path, json.dumps(document, indent=2, sort_keys=True).encode() + b"\n")
        return path


class KeptLogs:
    """All logs of which this user has seen a checkpoint."""

    def __init__(self, paths: Paths) -> None:
        """Use the folder ``logs`` in the user's state; it is created when there is something to keep."""
        self._folder = paths.state / "logs"

    def log(self, public_key: bytes, origin: str) -> KeptLog:
        """The notes of one log."""
        return KeptLog(self._folder / kid(public_key), public_key, origin)

    def heads(self, public_key: bytes) -> list[str]:
        """The origins that were the collector's newest log, the latest last.

        Raises:
            OSError: the disk cannot be written.
        """
        try:
            listed = (self._folder / kid(public_key) / _HEADS).read_text(encoding="utf-8").split("\n")[:-1]
            return list(dict.fromkeys(listed))
        except (FileNotFoundError, UnicodeDecodeError):
            return []

    def add_head(self, public_key: bytes, origin: str) -> None:
        """Remember the name of a newest log once, even if two commands see it at the same time.

        Raises:
            OSError: the disk cannot be written.
        """
        folder = self._folder / kid(public_key)
        with _alone(folder):
            known = self.heads(public_key)
            if origin not in known:
                data = "".join(f"{name}\n" for name in [*known, origin][-_MOST_ORIGINS:]).encode()
                write_private(folder / _HEADS, data)

    def count_refusal(self, public_key: bytes) -> int:
        """Count one more answer without a proof; how many there were in a row.

        Raises:
            OSError: the disk cannot be written.
        """
        path = self._folder / kid(public_key) / _REFUSED
        try:
            count = int(path.read_bytes()[:9]) + 1
        except (FileNotFoundError, ValueError):
            count = 1
        write_private(path, b"%d\n" % count)
        return count

    def forget_refusals(self, public_key: bytes) -> None:
        """Reset the count after a proper answer.

        Raises:
            OSError: the disk cannot be written.
        """
        (self._folder / kid(public_key) / _REFUSED).unlink(missing_ok=True)
