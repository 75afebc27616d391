"""The only code that changes files of other programs, and puts them back.

Before a file is changed, its bytes, its mode and its times, or that it was absent, are written to the session's sealed
journal and made durable. At the end, or by ``promptster restore`` after a crash, the file becomes what it was. If
it was changed meanwhile, only our entries are removed, and that is said. If a link, a pipe or the like is
in its place, nothing is written through that: the person is told where our entries are, and nothing is forgotten.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptster.durable import write_private
from promptster.errors import WorkspaceError, reason_of
from promptster.paths import home_path
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.session_folder import git_exclude
from promptster.session_folder.json_entries import NotAnObjectError, entry_names, remove_entries
from promptster.system.plain_files import (
    NotPlainError,
    facts_of,
    read_plain,
    read_regular,
    remove_empty_folder,
    remove_leftover,
    remove_plain,
    replace_plain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.session_folder.vault import Vault

_OURS = 0o700
"""Bits that a file keeps while it has our content, which may hold the session's token."""


class Outcome(StrEnum):
    """What became of one touched file."""

    PUT_BACK = "put back"
    """It is byte for byte what it was."""
    ENTRIES_REMOVED = "our entries removed"
    """It was changed meanwhile: those changes stay, ours are gone."""
    LEFT = "left as it is"
    """It was changed so much that our entries cannot be found."""
    NOT_PUT_BACK = "not put back"
    """Something else is in its place, or the disk refused; the session's end did not wait for that."""


_SENTENCES = {
    Outcome.PUT_BACK: "Put back",
    Outcome.ENTRIES_REMOVED: "Put back, with your own changes kept",
    Outcome.LEFT: "Left as you changed it; check whether Promptster's entries are still in it",
    Outcome.NOT_PUT_BACK: "Not put back",
}


@dataclass(frozen=True, kw_only=True)
class Restored:
    """One touched file after ``restore``."""

    path: Path
    outcome: Outcome
    more: tuple[str, ...] = ()
    """What is left to be done by hand, as sentences."""

    def sentence(self) -> str:
        """The outcome as a person reads it."""
        return f"{_SENTENCES[self.outcome]}: {home_path(self.path)}"


@dataclass(frozen=True, kw_only=True)
class _Record:
    """How one file was before us, and everything that we ever wrote to it."""

    path: str
    """Relative to the workspace."""
    before: bytes | None
    mode: int
    times_ns: tuple[int, int]
    made_folders: tuple[str, ...]
    written: tuple[bytes, ...]
    displaced: bool = False
    """Something else was found in its place: once that is gone, the file comes back, for nobody deleted it."""

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "before": None if self.before is None else b64u_encode(self.before),
            "mode": self.mode,
            "times_ns": list(self.times_ns),
            "made_folders": list(self.made_folders),
            "written": [b64u_encode(data) for data in self.written],
            "displaced": self.displaced,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> _Record:
        before = value["before"]
        return cls(
            path=value["path"],
            before=None if before is None else b64u_decode(before),
            mode=value["mode"],
            times_ns=(value["times_ns"][0], value["times_ns"][1]),
            made_folders=tuple(value["made_folders"]),
            written=tuple(b64u_decode(data) for data in value["written"]),
            displaced=value.get("displaced", False),
        )


class TouchedFiles:
    """The touched files of one session's workspace."""

    def __init__(self, workspace: Path, vault: Vault) -> None:
        """Use the vault in the session folder's ``touched``."""
        self._workspace = workspace
        self._vault = vault

    @property
    def pending(self) -> list[Path]:
        """Files that are not put back yet."""
        return [self._workspace / record.path for record in self._records()]

    def write(self, relative: str, data: bytes) -> None:
        """Write a file of the workspace, its former state journaled first.

        Args:
            relative: the path below the workspace.
            data: the whole new content.

        Raises:
            WorkspaceError: the path leaves the workspace, or is a link or no regular file.
        """
        record = self._record(relative)
        record = self._observe(relative) if record is None else self._rebased(record)
        if data not in record.written:
            record = replace(record, written=(*record.written, data))
        self._vault.put(self._name(relative), record.to_json())
        _replace(self._workspace, relative, data, mode=record.mode & _OURS)

    def before(self, relative: str) -> bytes | None:
        """A file's content without us, whether or not it is touched yet: other people's later changes are in it.

        Raises:
            WorkspaceError: it is a link, is reached through one, or is no regular file.
        """
        record = self._record(relative)
        now = read_plain(self._workspace, relative)
        return now if record is None else self._resolve(record, now)[0]

    def as_restored(self) -> dict[bytes, bytes | None]:
        """What every touched file would hold if it were put back now; ``None`` for absent.

        One that cannot be put back because something else is in its place is left out: it counts as it is.
        """
        found: dict[bytes, bytes | None] = {}
        for record in self._records():
            with contextlib.suppress(NotPlainError):
                now = read_plain(self._workspace, record.path)
                found[os.fsencode(record.path)] = self._resolve(record, now)[0]
        return found

    def restore(self, *, leave: Path | None = None) -> list[Restored]:
        """Put every touched file back. Done twice, the second time does nothing.

        Args:
            leave: where to keep what a file held if it cannot be put back; the file then counts as done.

        Raises:
            WorkspaceError: a file cannot be put back and nothing is to be left; the others are put back, nothing is
                forgotten, and this can be called again.
        """
        done: list[Restored] = []
        failed: list[_Obstacle] = []
        for record in self._records():
            try:
                outcome = self._put_back(record)
            except NotPlainError as error:
                self._vault.put(self._name(record.path), replace(record, displaced=True).to_json())
                failed.append(_Obstacle(record=record, why=error.message, advice=error.hint or "", place=error.place))
                continue
            except OSError as error:
                failed.append(_Obstacle(record=record, why=reason_of(error), advice="Make it writable."))
                continue
            self._vault.delete(self._name(record.path))
            done.append(Restored(path=self._workspace / record.path, outcome=outcome))
        if failed and leave is None:
            paths = ", ".join(f"{self._workspace / each.record.path} ({each.why})" for each in failed)
            advice = [line for each in failed for line in (*self._where(each), each.advice)]
            then = "Then run `promptster restore`, or the same command again, and the file is put back."
            raise WorkspaceError(f"cannot restore {paths}", hint="\n".join([*advice, then]), code=failed[0].code)
        git_exclude.show_again(self._workspace)
        return [*done, *(self._left(each, leave) for each in failed if leave is not None)]

    def _left(self, obstacle: _Obstacle, leave: Path) -> Restored:
        """Keep what a file held, and say what is left to be done."""
        record = obstacle.record
        more = [f"{obstacle.why[:1].upper()}{obstacle.why[1:]}.", *self._where(obstacle)]
        if record.before is not None:
            kept = leave / record.path.replace("/", "_")
            write_private(kept, record.before)
            more.append(f"What the file held before the session is kept in {home_path(kept)}.")
        self._vault.delete(self._name(record.path))
        return Restored(path=self._workspace / record.path, outcome=Outcome.NOT_PUT_BACK, more=tuple(more))

    def _where(self, obstacle: _Obstacle) -> list[str]:
        """Where our entries are, as far as that can be known, and how to take them out."""
        record = obstacle.record
        path = self._workspace / record.path
        entries = ", ".join(entry_names(record.before, record.written[-1])) if record.written else ""
        named = f"Promptster's entries ({entries})" if entries else "Promptster's entries"
        try:
            now = read_regular(path)
        except OSError:
            return [f"{named} are no longer in {path}. If you keep the file that was there, remove them from it."]
        data, outcome = self._resolve(record, now)
        real = Path(os.path.realpath(path))
        if outcome is Outcome.LEFT:
            return [f"{named} may be in {real}: take them out there."]
        if data == now:
            return [f"{named} are not in {real}, which it points to now."]
        if data is None:
            return [f"{named} are in {real}, and nothing else is. To remove them: rm {shlex.quote(str(real))}"]
        return [f"{named} are in {real}: take them out there."]

    def _put_back(self, record: _Record) -> Outcome:
        relative = record.path
        remove_leftover(self._workspace, relative)
        now = read_plain(self._workspace, relative)
        data, outcome = self._resolve(record, now)
        if data is None:
            remove_plain(self._workspace, relative)
            for folder in reversed(record.made_folders):
                with contextlib.suppress(OSError, NotPlainError):
                    remove_empty_folder(self._workspace, folder)
        elif data != now:
            times_ns = record.times_ns if data == record.before else None
            _replace(self._workspace, relative, data, mode=record.mode, times_ns=times_ns)
        return outcome

    @staticmethod
    def _resolve(record: _Record, now: bytes | None) -> tuple[bytes | None, Outcome]:
        """What the file should hold, and what to call that."""
        if now == record.before or now in record.written:
            return record.before, Outcome.PUT_BACK
        if now is None and record.displaced:
            return record.before, Outcome.PUT_BACK
        if now is None:  # it was deleted, and our entries with it
            return None, Outcome.ENTRIES_REMOVED
        try:
            for written in record.written:
                now = remove_entries(record.before, written, now)
                if now is None:
                    break
        except NotAnObjectError:
            return now, Outcome.LEFT
        same = now == record.before
        return now, Outcome.PUT_BACK if same else Outcome.ENTRIES_REMOVED

    def _records(self) -> list[_Record]:
        return [_Record.from_json(self._vault.get(name)) for name in self._vault.names()]

    def _record(self, relative: str) -> _Record | None:
        return next((kept for kept in self._records() if kept.path == relative), None)

    def _rebased(self, record: _Record) -> _Record:
        """Return the record after another program changed the file: its content without ours will be put back."""
        now = read_plain(self._workspace, record.path)
        if now == record.before or now in record.written:
            return record
        return replace(record, before=self._resolve(record, now)[0], written=())

    @staticmethod
    def _name(relative: str) -> str:
        return b64u_encode(relative.encode())

    def _observe(self, relative: str) -> _Record:
        data = read_plain(self._workspace, relative)
        made = [str(folder) for folder in Path(relative).parents if not (self._workspace / folder).exists()]
        facts = facts_of(self._workspace, relative) if data is not None else None
        return _Record(
            path=relative,
            before=data,
            mode=stat.S_IMODE(facts.st_mode) if facts else 0o600,
            times_ns=(facts.st_atime_ns, facts.st_mtime_ns) if facts else (0, 0),
            made_folders=tuple(reversed(made)),
            written=(),
        )


@dataclass(frozen=True, kw_only=True)
class _Obstacle:
    """Why one file cannot be put back."""

    record: _Record
    why: str
    advice: str
    place: Path | None = None
    """What is in the way, if that is not the disk."""

    @property
    def code(self) -> str:
        """The error's code."""
        return WorkspaceError.default_code if self.place is None else NotPlainError.default_code


def describe(restored: Sequence[Restored]) -> list[str]:
    """The lines about each file for a person."""
    return [line for entry in restored for line in (entry.sentence(), *(f"  {more}" for more in entry.more))]


def _replace(
    workspace: Path, relative: str, data: bytes, *, mode: int, times_ns: tuple[int, int] | None = None
) -> None:
    replace_plain(workspace, relative, data, mode=mode, times_ns=times_ns)
