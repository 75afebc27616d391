"""Snapshots of a work tree, and the changes between two of them. These are values only; ``worktree`` reads the files.

A snapshot contains tracked files and files that are neither tracked nor ignored; of binary files and files over 1 MiB
only the hash. Ignored files are listed apart, by hash, within the limits of ``ignored_files``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ChangeStatus(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    IGNORED = "ignored"
    """It is new or changed, but git ignores it."""


class HiddenReason(StrEnum):
    """Why only a file's hash is shown, and not its content."""

    IGNORED = "ignored"
    IGNORED_LARGE = "ignored, too large to hash"
    IGNORED_MANY = "ignored, too much to list file by file"
    BINARY = "binary"
    LARGE = "over 1 MiB"
    UNHASHED = "too large to hash"
    MODULE = "another repository"
    UNREADABLE = "unreadable"
    GONE = "earlier content is gone"


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One file of a snapshot."""

    mode: str
    """Git's file mode: 100644, 100755, 120000 (link) or 160000 (another repository)."""
    oid: str
    """Id of the git object with this content."""
    size: int
    sha256: str
    """Hexadecimal digits; of the link's target for a link; empty for another repository."""
    hidden: HiddenReason | None = None
    count: int = 0
    """For a folder that is listed instead of its files: their number; ``size`` is then the sum of their sizes."""

    def to_json(self) -> list[Any]:
        """Return the compact form that the state folder holds."""
        return [self.mode, self.oid, self.size, self.sha256, self.hidden, self.count]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Self:
        """Read the form that ``to_json`` writes."""
        mode, oid, size, sha256, hidden, count = value
        reason = HiddenReason(hidden) if hidden else None
        return cls(mode=mode, oid=oid, size=size, sha256=sha256, hidden=reason, count=count)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A work tree at one moment."""

    commit: str
    """HEAD; empty if there is no commit yet."""
    tree: str
    """Id of the git tree over ``files``."""
    files: Mapping[bytes, FileEntry]
    """By path relative to the work tree, as bytes."""
    ignored: Mapping[bytes, FileEntry]
    """Ignored files, by path; a folder that is listed instead of its files ends in a slash and has no hash."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that the state folder holds."""
        return {
            "commit": self.commit,
            "tree": self.tree,
            "files": {os.fsdecode(path): entry.to_json() for path, entry in self.files.items()},
            "ignored": {os.fsdecode(path): entry.to_json() for path, entry in self.ignored.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read the form that ``to_json`` writes."""
        return cls(
            commit=value["commit"],
            tree=value["tree"],
            files={os.fsencode(path): FileEntry.from_json(entry) for path, entry in value["files"].items()},
            ignored={os.fsencode(path): FileEntry.from_json(entry) for path, entry in value["ignored"].items()},
        )


@dataclass(frozen=True, kw_only=True)
class Change:
    """One file that differs between two snapshots."""

    path: bytes
    status: ChangeStatus
    """``ignored`` is an ignored file that is new or differs, or that has no hash."""
    before: FileEntry | None
    after: FileEntry | None
    hidden: HiddenReason | None
    """Why its content is not shown, or ``None``."""

    @property
    def shown_path(self) -> str:
        """The path as text, in which bytes that are not UTF-8 are escaped."""
        return self.path.decode("utf-8", "backslashreplace")

    def manifest(self) -> dict[str, Any]:
        """Return this file's entry in the submission's manifest."""
        kept = self.after or self.before
        entry: dict[str, Any] = {
            "path": self.shown_path,
            "status": self.status,
            "size": kept.size if kept else 0,
            "sha256": kept.sha256 if kept else "",
            "shown": self.hidden is None,
        }
        if kept is not None and kept.count:
            entry["files"] = kept.count
        if self.hidden is not None:
            entry["reason"] = self.hidden.value
        return entry
