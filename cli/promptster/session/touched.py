"""The only code that changes files of other programs, and puts them back.

Before a file is changed, its bytes, its mode and its times, or that it was absent, are written to the session's sealed
journal and made durable. At the end, or by ``promptster restore`` after a crash, the file becomes what it was. If
somebody changed it meanwhile, only our entries are taken out, and that is said.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptster.config import sync_folder
from promptster.errors import WorkspaceError, reason_of
from promptster.paths import home_path
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.session import excluded
from promptster.session.unmerge import NotMergeableError, unmerge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.session.vault import Vault

_OURS = 0o700
"""Bits that stay while our content stands in a file: it may hold the session's token."""


class Outcome(StrEnum):
    """What became of one touched file."""

    PUT_BACK = "put back"
    """It is byte for byte what it was."""
    ENTRIES_REMOVED = "our entries removed"
    """Somebody changed it meanwhile: their changes stay, ours are gone."""
    LEFT = "left as it is"
    """Somebody changed it so that it cannot be told what is ours."""


_SENTENCES = {
    Outcome.PUT_BACK: "Put back",
    Outcome.ENTRIES_REMOVED: "Put back, with your own changes kept",
    Outcome.LEFT: "Left as you changed it; look whether Promptster's entries are still in it",
}


@dataclass(frozen=True, kw_only=True)
class Restored:
    """One touched file after ``restore``."""

    path: Path
    outcome: Outcome

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

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "before": None if self.before is None else b64u_encode(self.before),
            "mode": self.mode,
            "times_ns": list(self.times_ns),
            "made_folders": list(self.made_folders),
            "written": [b64u_encode(data) for data in self.written],
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
        path = plain_path(self._workspace, relative)
        record = self._record(relative)
        record = self._observe(path, relative) if record is None else self._rebased(record, path)
        if data not in record.written:
            record = replace(record, written=(*record.written, data))
        self._vault.put(self._name(relative), record.to_json())
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data, mode=record.mode & _OURS)

    def before(self, relative: str) -> bytes | None:
        """A file's content without us, whether or not it is touched yet: other people's later changes are in it."""
        path = plain_path(self._workspace, relative)
        record = self._record(relative)
        return _read(path) if record is None else self._resolve(record, _read(path))[0]

    def as_restored(self) -> dict[bytes, bytes | None]:
        """What every touched file would hold if it were put back now; ``None`` for absent."""
        found: dict[bytes, bytes | None] = {}
        for record in self._records():
            now = _read(self._workspace / record.path)
            found[os.fsencode(record.path)] = self._resolve(record, now)[0]
        return found

    def restore(self) -> list[Restored]:
        """Put every touched file back. Done twice, the second time does nothing.

        Raises:
            WorkspaceError: a file cannot be written; the others are put back, and this can be called again.
        """
        done: list[Restored] = []
        failed: list[str] = []
        for record in self._records():
            path = self._workspace / record.path
            try:
                outcome = self._put_back(record, path)
            except OSError as error:
                failed.append(f"{path} ({reason_of(error)})")
                continue
            self._vault.delete(self._name(record.path))
            done.append(Restored(path=path, outcome=outcome))
        if failed:
            raise WorkspaceError(
                f"cannot restore {', '.join(failed)}", hint="Make it writable, then run `promptster restore`."
            )
        excluded.show_again(self._workspace)
        return done

    def _put_back(self, record: _Record, path: Path) -> Outcome:
        _leftover(path).unlink(missing_ok=True)
        now = _read(path)
        data, outcome = self._resolve(record, now)
        if data is None:
            path.unlink(missing_ok=True)
            for folder in reversed(record.made_folders):
                with contextlib.suppress(OSError):
                    (self._workspace / folder).rmdir()
        elif data != now:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, data, mode=record.mode)
            if data == record.before:
                os.utime(path, ns=record.times_ns)
        return outcome

    @staticmethod
    def _resolve(record: _Record, now: bytes | None) -> tuple[bytes | None, Outcome]:
        """What the file should hold, and what to call that."""
        if now == record.before or now in record.written:
            return record.before, Outcome.PUT_BACK
        if now is None:  # somebody deleted it: our entries are gone with it
            return None, Outcome.ENTRIES_REMOVED
        try:
            for written in record.written:
                now = unmerge(record.before, written, now)
                if now is None:
                    break
        except NotMergeableError:
            return now, Outcome.LEFT
        same = now == record.before
        return now, Outcome.PUT_BACK if same else Outcome.ENTRIES_REMOVED

    def _records(self) -> list[_Record]:
        return [_Record.from_json(self._vault.get(name)) for name in self._vault.names()]

    def _record(self, relative: str) -> _Record | None:
        return next((kept for kept in self._records() if kept.path == relative), None)

    def _rebased(self, record: _Record, path: Path) -> _Record:
        """The record once somebody else has changed the file: their content without ours is what will be put back."""
        now = _read(path)
        if now == record.before or now in record.written:
            return record
        return replace(record, before=self._resolve(record, now)[0], written=())

    @staticmethod
    def _name(relative: str) -> str:
        return b64u_encode(relative.encode())

    def _observe(self, path: Path, relative: str) -> _Record:
        made = [str(folder) for folder in Path(relative).parents if not (self._workspace / folder).exists()]
        data = _read(path)
        facts = path.stat() if data is not None else None
        return _Record(
            path=relative,
            before=data,
            mode=stat.S_IMODE(facts.st_mode) if facts else 0o600,
            times_ns=(facts.st_atime_ns, facts.st_mtime_ns) if facts else (0, 0),
            made_folders=tuple(reversed(made)),
            written=(),
        )


def plain_path(workspace: Path, relative: str) -> Path:
    """A file's place in the workspace, there or not.

    Raises:
        WorkspaceError: the path leaves the workspace, or is a link or no regular file.
    """
    path = workspace / relative
    parts = Path(relative).parts
    links = [workspace.joinpath(*parts[: count + 1]) for count in range(len(parts))]
    if Path(relative).is_absolute() or ".." in parts or any(link.is_symlink() for link in links):
        raise WorkspaceError(
            f"{path} is a symbolic link, or is reached through one",
            hint="Replace it with a plain file or folder.",
            code="touched_link",
        )
    if path.exists() and not path.is_file():
        raise WorkspaceError(f"{path} is not a file", hint="Move it away.", code="touched_link")
    return path


def describe(restored: Sequence[Restored]) -> list[str]:
    """One line per file for a person."""
    return [entry.sentence() for entry in restored]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _leftover(path: Path) -> Path:
    """Where new content stands until it takes the name; a crash may leave it."""
    return path.with_name(f".{path.name}.promptster-new")


def _replace(path: Path, data: bytes, *, mode: int) -> None:
    new = _leftover(path)
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)
