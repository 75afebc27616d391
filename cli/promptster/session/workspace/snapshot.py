"""What a work tree was at one moment, and what differs between two moments. Values only; ``worktree`` reads them.

Part of a tree are tracked files and files that are neither tracked nor ignored. Binary files and files over 1 MiB are
part of it by their hashes only; ignored ones are not part of it and are listed by hash, as far as the limits reach.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Hidden(StrEnum):
    """Why a file's content is not shown, its hash only."""

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
class Entry:
    """One file as it was at one moment."""

    mode: str
    """Git's file mode: 100644, 100755, 120000 (link) or 160000 (another repository)."""
    oid: str
    """Name of the git object with this content."""
    size: int
    sha256: str
    """Hexadecimal digits; of the link's target for a link; empty for another repository."""
    hidden: Hidden | None = None
    count: int = 0
    """For a folder that stands for the files in it: their number; ``size`` is then their sum."""

    def to_json(self) -> list[Any]:
        """A compact form for the state folder."""
        return [self.mode, self.oid, self.size, self.sha256, self.hidden, self.count]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Self:
        """Read that form."""
        mode, oid, size, sha256, hidden, count = value
        reason = Hidden(hidden) if hidden else None
        return cls(mode=mode, oid=oid, size=size, sha256=sha256, hidden=reason, count=count)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A work tree at one moment."""

    commit: str
    """Return HEAD, or the empty text if there is no commit yet."""
    tree: str
    """Name of the git tree over ``files``."""
    files: Mapping[bytes, Entry]
    """By path relative to the work tree, as bytes."""
    ignored: Mapping[bytes, Entry]
    """Ignored files, by path; a folder that stands for too many of them ends in a slash and has no hash."""

    def to_json(self) -> dict[str, Any]:
        """The form kept in the state folder."""
        return {
            "commit": self.commit,
            "tree": self.tree,
            "files": {os.fsdecode(path): entry.to_json() for path, entry in self.files.items()},
            "ignored": {os.fsdecode(path): entry.to_json() for path, entry in self.ignored.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read that form."""
        return cls(
            commit=value["commit"],
            tree=value["tree"],
            files={os.fsencode(path): Entry.from_json(entry) for path, entry in value["files"].items()},
            ignored={os.fsencode(path): Entry.from_json(entry) for path, entry in value["ignored"].items()},
        )


@dataclass(frozen=True, kw_only=True)
class Change:
    """One file that differs between two snapshots."""

    path: bytes
    status: str
    """``added``, ``modified``, ``deleted``, or ``ignored``: an ignored file that is new or differs, or has no hash."""
    before: Entry | None
    after: Entry | None
    hidden: Hidden | None
    """Why its content is not shown, or ``None``."""

    @property
    def shown_path(self) -> str:
        """The path as text; bytes that are not UTF-8 are escaped."""
        return self.path.decode("utf-8", "backslashreplace")

    def manifest(self) -> dict[str, Any]:
        """This file's entry in the submission's manifest."""
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
