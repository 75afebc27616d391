"""Takes snapshots of a work tree and compares them, without writing to the work tree's own repository.

This module reads the files itself, so no filter, attribute or hook of git can run or change bytes, and nothing but
regular files and links is read. Contents that may be shown are kept in the session's own repository
(``object_store``), so later changes to the candidate's ``.git`` do not matter.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from promptster.errors import WorkspaceError, reason_of
from promptster.session.workspace.file_listing import is_repository, list_files
from promptster.session.workspace.ignored_files import sort_out
from promptster.session.workspace.object_store import ObjectStore
from promptster.session.workspace.snapshot import Change, ChangeStatus, FileEntry, HiddenReason, Snapshot
from promptster.system.folder_reader import FolderReader
from promptster.system.git import DEFAULT_TIMING, GitTiming, git, git_text
from promptster.system.plain_files import NotPlainError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from promptster.session.workspace.file_listing import Listing

SHOWN_LIMIT: Final = 1024 * 1024
"""Bytes up to which a text file's content may be shown."""
_BYTES_AT_ONCE = 16 * SHOWN_LIMIT
_SNIFFED = 8000
_CHUNK = 1024 * 1024
_LINK_MODE = "120000"
_MODULE_MODE = "160000"


@dataclass(frozen=True, kw_only=True)
class WorkTreeLimits:
    """Limits of one snapshot."""

    hashed_bytes: int = 4 * 1024 * 1024 * 1024
    """Total size of the files over 1 MiB that are hashed, ignored ones aside; a sparse file can claim any size."""
    git: GitTiming = DEFAULT_TIMING
    """How long each git call may take."""


DEFAULT_LIMITS: Final = WorkTreeLimits()


class WorkTree:
    """A git work tree, whose contents are kept in a private repository in ``scratch``."""

    def __init__(self, root: Path, scratch: Path, *, limits: WorkTreeLimits = DEFAULT_LIMITS) -> None:
        """Name both folders; nothing is read or written.

        Args:
            root: top level of the work tree, by its real path.
            scratch: a folder of ours for the private repository.
            limits: what one snapshot may cost.
        """
        self.root, self._limits = root, limits
        self._store = ObjectStore(scratch / "snapshot.git")

    @property
    def is_repository(self) -> bool:
        """Whether the work tree still has its own repository.

        Raises:
            WorkspaceError: the work tree is gone, or git refuses it because of its owner.
        """
        self._require()
        return is_repository(self.root, timing=self._limits.git)

    def snapshot(
        self, replaced: Mapping[bytes, bytes | None] | None = None, *, before: Snapshot | None = None
    ) -> Snapshot:
        """Take a snapshot of the work tree as it is now.

        Args:
            replaced: files to include with other content than they have, or as absent (``None``): the files that we
                changed, as they will be put back.
            before: an earlier snapshot. If the repository has been replaced since, the earlier files still count.

        Raises:
            WorkspaceError: the work tree is gone, or git refuses it.
        """
        self._require()
        commit = self._commit()
        fresh = self._store.prepare(self._git_text("rev-parse", "--show-object-format") or "sha1")
        replaced = replaced or {}
        with self._open() as reader:
            entry_reader = _EntryReader(reader, self._store, hashed_bytes=self._limits.hashed_bytes)
            listing = list_files(self.root, reader, self._store.environment, timing=self._limits.git)
            paths = listing.files | {path for path, data in replaced.items() if data is not None}
            if before is not None:
                paths |= self._still_part(before, listing)
            files: dict[bytes, FileEntry] = {}
            writer = _ObjectWriter(self._store, fresh=fresh)
            for path in sorted(paths):
                if path in replaced:
                    entry, data = entry_reader.replaced(path, replaced[path]), replaced[path]
                else:
                    entry, data = entry_reader.read(path)
                if entry is None and before is not None and path in listing.left_out:
                    known = before.files.get(path)
                    entry = known if known is not None and known.oid == listing.left_out[path] else None
                if entry is None:
                    continue
                files[path] = entry
                if data is not None and entry.hidden is None:
                    writer.keep(entry.oid, data)
            writer.finish()
            for path in listing.unreadable:
                files[path] = _unreadable("040000")
            for path, oid in listing.modules.items():
                files[path] = FileEntry(mode=_MODULE_MODE, oid=oid, size=0, sha256="", hidden=HiddenReason.MODULE)
            ignored = self._ignored(entry_reader, listing.ignored, files.keys() | replaced.keys())
        return Snapshot(commit=commit, tree=self._store.tree(files), files=files, ignored=ignored)

    def changes(self, before: Snapshot, after: Snapshot) -> list[Change]:
        """Return what differs, sorted by path, ignored files last; a file without a hash always counts as changed."""
        found: list[Change] = []
        for path in sorted(before.files.keys() | after.files.keys()):
            old, new = before.files.get(path), after.files.get(path)
            if (old == new and (old is None or not _unhashed(old))) or (
                old is not None and new is None and path in after.ignored
            ):
                continue
            if old is not None and new is None and old.hidden is HiddenReason.MODULE and _has_below(after, path):
                continue  # its files are listed now
            if old is None:
                status = ChangeStatus.ADDED
            else:
                status = ChangeStatus.DELETED if new is None else ChangeStatus.MODIFIED
            hidden = (old.hidden if old else None) or (new.hidden if new else None)
            found.append(Change(path=path, status=status, before=old, after=new, hidden=hidden))
        for path, entry in sorted(after.ignored.items()):
            old = before.ignored.get(path) or before.files.get(path)
            if old is None or old.sha256 != entry.sha256 or not entry.sha256:
                found.append(
                    Change(path=path, status=ChangeStatus.IGNORED, before=old, after=entry, hidden=entry.hidden)
                )
        return self._without_lost(found)

    def diff(self, changes: Iterable[Change]) -> str:
        """Return a unified diff of every file whose content is shown."""
        shown = [change for change in changes if change.hidden is None]
        return self._store.diff(
            {change.path: change.before for change in shown if change.before},
            {change.path: change.after for change in shown if change.after},
        )

    def _open(self) -> FolderReader:
        try:
            return FolderReader(self.root)
        except OSError as error:
            raise WorkspaceError(
                f"cannot read {self.root}: {reason_of(error)}", hint="Make it readable.", code="workspace_lost"
            ) from error

    def _require(self) -> None:
        if not self.root.is_dir():
            raise WorkspaceError(
                f"{self.root} is gone", hint="Put it back, then run the same command again.", code="workspace_lost"
            )

    def _commit(self) -> str:
        """Return HEAD of the work tree's own repository, never of one around it."""
        if not self.is_repository:
            return ""
        return self._git_text("rev-parse", "--verify", "--quiet", "HEAD") or ""

    def _has_commit(self, commit: str) -> bool:
        """Return whether the repository still has this commit, so that it was not replaced."""
        if not self.is_repository:
            return False
        return not commit or self._git_text("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}") == commit

    def _git_text(self, *arguments: str) -> str | None:
        return git_text(arguments, cwd=self.root, timing=self._limits.git)

    def _still_part(self, before: Snapshot, listing: Listing) -> set[bytes]:
        """Return files of an earlier snapshot that still belong to the workspace although git no longer lists them.

        If the repository was replaced or lost its index, these are all of them; otherwise those in folders that cannot
        be listed now.
        """
        if not (listing.own and (listing.tracks or not before.commit) and self._has_commit(before.commit)):
            return set(before.files)
        closed = tuple(listing.unreadable)
        return {path for path in before.files if path.startswith(closed)} if closed else set()

    def _without_lost(self, changes: list[Change]) -> list[Change]:
        """Mark files whose earlier content is not kept: a session of version 0.1 kept only what git did not have."""
        wanted = {change.before.oid for change in changes if change.before and change.hidden is None}
        lost = wanted - self._store.existing(wanted)
        lost -= self._copied(lost)
        return [
            Change(path=c.path, status=c.status, before=c.before, after=c.after, hidden=HiddenReason.GONE)
            if c.before and c.before.oid in lost and c.hidden is None
            else c
            for c in changes
        ]

    def _copied(self, lost: Collection[str]) -> set[str]:
        """Copy contents that the candidate's repository still has, if they match their ids; returns those ids."""
        copied: set[str] = set()
        if lost and self.is_repository:
            for oid in sorted(lost):
                try:
                    data = git(["cat-file", "blob", oid], cwd=self.root, timing=self._limits.git)
                except WorkspaceError:
                    continue
                if self._store.name(data) == oid:
                    self._store.add(oid, data)
                    copied.add(oid)
            self._store.flush()
        return copied

    def _ignored(
        self, entry_reader: _EntryReader, listed: Sequence[bytes], ours: Collection[bytes]
    ) -> dict[bytes, FileEntry]:
        sorted_out = sort_out(self.root, listed, ours=ours)
        found: dict[bytes, FileEntry] = {}
        for path in sorted_out.hashed:
            entry, _ = entry_reader.read(path, keep=False)
            if entry is not None:
                hidden = entry.hidden if entry.hidden is HiddenReason.UNREADABLE else HiddenReason.IGNORED
                found[path] = replace(entry, oid="", hidden=hidden)
        for path, size in sorted_out.large.items():
            found[path] = FileEntry(mode="100644", oid="", size=size, sha256="", hidden=HiddenReason.IGNORED_LARGE)
        for path, summary in sorted_out.summaries.items():
            found[path] = FileEntry(
                mode="040000",
                oid="",
                size=summary.size,
                sha256="",
                hidden=HiddenReason.IGNORED_MANY,
                count=summary.count,
            )
        return found


class _EntryReader:
    """Reads the entries of one snapshot."""

    def __init__(self, reader: FolderReader, store: ObjectStore, *, hashed_bytes: int) -> None:
        self._reader, self._store = reader, store
        self._left = hashed_bytes

    def read(self, path: bytes, *, keep: bool = True) -> tuple[FileEntry | None, bytes | None]:
        """Return a file's entry, and its content if that may be shown."""
        try:
            facts = self._reader.facts(path)
            if facts is None:
                return None, None
            if stat.S_ISLNK(facts.st_mode):
                target = self._reader.target(path)
                return self._entry(target, _LINK_MODE, _hidden(target, len(target))), target
            if stat.S_ISREG(facts.st_mode) and (handle := self._reader.open(path)) is not None:
                return self._file(handle, keep=keep)
        except (FileNotFoundError, NotADirectoryError, NotPlainError):  # it was replaced a moment ago
            return None, None
        except OSError:
            return _unreadable("100644"), None
        return None, None

    def replaced(self, path: bytes, data: bytes | None) -> FileEntry | None:
        """Return the entry of a file with this content instead of its own; the mode is the file's."""
        if data is None:
            return None
        facts = self._reader.facts(path)
        executable = facts is not None and stat.S_ISREG(facts.st_mode) and bool(facts.st_mode & stat.S_IXUSR)
        return self._entry(data, "100755" if executable else "100644", _hidden(data, len(data)))

    def _entry(self, data: bytes, mode: str, hidden: HiddenReason | None) -> FileEntry:
        sha256 = hashlib.sha256(data).hexdigest()
        return FileEntry(mode=mode, oid=self._store.name(data), size=len(data), sha256=sha256, hidden=hidden)

    def _file(self, handle: int, *, keep: bool) -> tuple[FileEntry, bytes | None]:
        """Read a regular file once, up to the size that it had when it was opened."""
        try:
            facts = os.fstat(handle)
            mode = "100755" if facts.st_mode & stat.S_IXUSR else "100644"
            small = _some(handle, facts.st_size)
            if len(small) <= SHOWN_LIMIT:
                entry = self._entry(small, mode, _hidden(small, len(small)))
                return entry, small if keep and entry.hidden is None else None
            if facts.st_size > self._left:
                return FileEntry(mode=mode, oid="", size=facts.st_size, sha256="", hidden=HiddenReason.UNHASHED), None
            self._left -= facts.st_size
            digest, sha256 = self._store.digest(facts.st_size), hashlib.sha256()
            piece, left = small[: facts.st_size], facts.st_size
            while piece:
                digest.update(piece)
                sha256.update(piece)
                left -= len(piece)
                piece = os.read(handle, min(_CHUNK, left))
        finally:
            os.close(handle)
        hidden, size = _hidden(small, facts.st_size), facts.st_size
        return FileEntry(mode=mode, oid=digest.hexdigest(), size=size, sha256=sha256.hexdigest(), hidden=hidden), None


class _ObjectWriter:
    """Adds contents to the session's repository in large groups."""

    def __init__(self, store: ObjectStore, *, fresh: bool) -> None:
        self._store, self._fresh = store, fresh
        self._waiting: dict[str, bytes] = {}
        self._bytes = 0

    def keep(self, oid: str, data: bytes) -> None:
        """Keep a content; it is written by ``finish`` at the latest."""
        if self._fresh:
            self._store.add(oid, data)
            return
        self._waiting[oid] = data
        self._bytes += len(data)
        if self._bytes > _BYTES_AT_ONCE:
            self._write()

    def finish(self) -> None:
        """Write what is waiting, and make all of it durable."""
        self._write()
        self._store.flush()

    def _write(self) -> None:
        existing = self._store.existing(self._waiting)
        for oid, data in self._waiting.items():
            if oid not in existing:
                self._store.add(oid, data)
        self._waiting.clear()
        self._bytes = 0


def _has_below(snapshot: Snapshot, folder: bytes) -> bool:
    return any(path.startswith(folder.rstrip(b"/") + b"/") for path in snapshot.files)


def _unhashed(entry: FileEntry) -> bool:
    return entry.hidden in {HiddenReason.UNHASHED, HiddenReason.UNREADABLE}


def _unreadable(mode: str) -> FileEntry:
    return FileEntry(mode=mode, oid="", size=0, sha256="", hidden=HiddenReason.UNREADABLE)


def _some(handle: int, size: int) -> bytes:
    """Read a file's first bytes, at most one more than may be shown."""
    data = os.read(handle, min(size, SHOWN_LIMIT) + 1)
    while len(data) != size and len(data) <= SHOWN_LIMIT and (more := os.read(handle, SHOWN_LIMIT + 1 - len(data))):
        data += more
    return data


def _hidden(data: bytes, size: int) -> HiddenReason | None:
    if b"\0" in data[:_SNIFFED]:
        return HiddenReason.BINARY
    if size > SHOWN_LIMIT:
        return HiddenReason.LARGE
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return HiddenReason.BINARY
    return None
