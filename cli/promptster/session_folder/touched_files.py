"""Changes files of other programs for a session, and restores them. No other code does that.

Before a file is changed, its bytes, mode and times, or that it did not exist, are saved durably in the session's vault.
At the end, or by ``promptster restore`` after a crash, the file becomes what it was. If it was changed meanwhile, only
our entries are removed, and the person is told. If a link, a pipe or the like is in its place, nothing is written
through it: the person is told where our entries are, and what was saved is kept.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

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
"""The permission bits that a file keeps while it has our content, which may contain the session's token."""


class RestoreOutcome(StrEnum):
    """The result of restoring one file."""

    PUT_BACK = "put back"
    """It is byte for byte what it was."""
    ENTRIES_REMOVED = "our entries removed"
    """It was changed meanwhile: those changes stay, and ours are removed."""
    LEFT = "left as it is"
    """It was changed so much that our entries cannot be found."""
    NOT_PUT_BACK = "not put back"
    """Something else is in its place, or it cannot be written; the session ended nevertheless."""


def _sentence(outcome: RestoreOutcome) -> str:
    match outcome:
        case RestoreOutcome.PUT_BACK:
            return "Put back"
        case RestoreOutcome.ENTRIES_REMOVED:
            return "Put back, with your own changes kept"
        case RestoreOutcome.LEFT:
            return "Left as you changed it; check whether Promptster's entries are still in it"
        case RestoreOutcome.NOT_PUT_BACK:
            return "Not put back"
        case _:  # pragma: no cover
            assert_never(outcome)


@dataclass(frozen=True, kw_only=True)
class Restored:
    """One file after ``restore``."""

    path: Path
    outcome: RestoreOutcome
    more: tuple[str, ...] = ()
    """What the person has to do by hand, as sentences."""

    def sentence(self) -> str:
        """Return the outcome for a person."""
        return f"{_sentence(self.outcome)}: {home_path(self.path)}"


@dataclass(frozen=True, kw_only=True)
class _Record:
    """The state of one file before our change, and every content that we wrote to it."""

    path: str
    """Relative to the workspace."""
    before: bytes | None
    mode: int
    times_ns: tuple[int, int]
    made_folders: tuple[str, ...]
    written: tuple[bytes, ...]
    displaced: bool = False
    """Whether something else was found in its place; once that is removed, the file is restored."""

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
    """The files that were changed in one session's workspace."""

    def __init__(self, workspace: Path, vault: Vault) -> None:
        """Use the vault in the session folder's ``touched``."""
        self._workspace = workspace
        self._vault = vault

    @property
    def pending(self) -> list[Path]:
        """Files that were not restored yet."""
        return [self._workspace / record.path for record in self._records()]

    def write(self, relative: str, data: bytes) -> None:
        """Write a file of the workspace, after its earlier state was saved.

        Args:
            relative: the path below the workspace.
            data: the whole new content.

        Raises:
            WorkspaceError: the path leaves the workspace, or is not a regular file.
        """
        record = self._record(relative)
        record = self._observe(relative) if record is None else self._rebased(record)
        if data not in record.written:
            record = replace(record, written=(*record.written, data))
        self._vault.put(self._name(relative), record.to_json())
        _replace(self._workspace, relative, data, mode=record.mode & _OURS)

    def before(self, relative: str) -> bytes | None:
        """Return a file's content without our entries, but with changes that others made since.

        Raises:
            WorkspaceError: it is reached through a link, or is not a regular file.
        """
        record = self._record(relative)
        now = read_plain(self._workspace, relative)
        return now if record is None else self._resolve(record, now)[0]

    def as_restored(self) -> dict[bytes, bytes | None]:
        """Return the content that every changed file would have if it were restored now; ``None`` for absent.

        A file is left out if something else is in its place.
        """
        found: dict[bytes, bytes | None] = {}
        for record in self._records():
            with contextlib.suppress(NotPlainError):
                now = read_plain(self._workspace, record.path)
                found[os.fsencode(record.path)] = self._resolve(record, now)[0]
        return found

    def restore(self, *, leave: Path | None = None) -> list[Restored]:
        """Restore every changed file. Calling it again does nothing more.

        Args:
            leave: the folder that keeps the contents of files that cannot be restored; these then count as done.

        Raises:
            WorkspaceError: a file cannot be restored, and ``leave`` is not given. The others are restored, and this can
                be called again.
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
        """Save what a file contained, and say what the person has to do."""
        record = obstacle.record
        more = [f"{obstacle.why[:1].upper()}{obstacle.why[1:]}.", *self._where(obstacle)]
        if record.before is not None:
            kept = leave / record.path.replace("/", "_")
            write_private(kept, record.before)
            more.append(f"The file's content from before the session is in {home_path(kept)}.")
        self._vault.delete(self._name(record.path))
        return Restored(path=self._workspace / record.path, outcome=RestoreOutcome.NOT_PUT_BACK, more=tuple(more))

    def _where(self, obstacle: _Obstacle) -> list[str]:
        """Return the sentences that say where our entries are, as far as known, and how to remove them."""
        record = obstacle.record
        path = self._workspace / record.path
        entries = ", ".join(entry_names(record.before, record.written[-1])) if record.written else ""
        named = f"Promptster's entries ({entries})" if entries else "Promptster's entries"
        try:
            now = read_regular(path)
        except OSError:
            return [f"{named} are no longer in {path}. If you kept the earlier file, remove them from it."]
        data, outcome = self._resolve(record, now)
        real = Path(os.path.realpath(path))
        if outcome is RestoreOutcome.LEFT:
            return [f"{named} may be in {real}: remove them there."]
        if data == now:
            return [f"{named} are not in {real}, which it points to now."]
        if data is None:
            return [f"{named} are in {real}, which contains nothing else. To remove them: rm {shlex.quote(str(real))}"]
        return [f"{named} are in {real}: remove them there."]

    def _put_back(self, record: _Record) -> RestoreOutcome:
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
    def _resolve(record: _Record, now: bytes | None) -> tuple[bytes | None, RestoreOutcome]:
        """Return the content that the file should have, and the outcome's name."""
        if now == record.before or now in record.written:
            return record.before, RestoreOutcome.PUT_BACK
        if now is None and record.displaced:
            return record.before, RestoreOutcome.PUT_BACK
        if now is None:  # it was deleted with our entries
            return None, RestoreOutcome.ENTRIES_REMOVED
        try:
            for written in record.written:
                now = remove_entries(record.before, written, now)
                if now is None:
                    break
        except NotAnObjectError:
            return now, RestoreOutcome.LEFT
        same = now == record.before
        return now, RestoreOutcome.PUT_BACK if same else RestoreOutcome.ENTRIES_REMOVED

    def _records(self) -> list[_Record]:
        return [_Record.from_json(self._vault.get(name)) for name in self._vault.names()]

    def _record(self, relative: str) -> _Record | None:
        return next((kept for kept in self._records() if kept.path == relative), None)

    def _rebased(self, record: _Record) -> _Record:
        """Return the record after another program changed the file, whose content without ours will be restored."""
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
    """Why one file cannot be restored."""

    record: _Record
    why: str
    advice: str
    place: Path | None = None
    """The path that is in the way; ``None`` if the system refused."""

    @property
    def code(self) -> str:
        """The error's code."""
        return WorkspaceError.default_code if self.place is None else NotPlainError.default_code


def describe(restored: Sequence[Restored]) -> list[str]:
    """Return the lines about restored files for a person."""
    return [line for entry in restored for line in (entry.sentence(), *(f"  {more}" for more in entry.more))]


def _replace(
    workspace: Path, relative: str, data: bytes, *, mode: int, times_ns: tuple[int, int] | None = None
) -> None:
    replace_plain(workspace, relative, data, mode=mode, times_ns=times_ns)
