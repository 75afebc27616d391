"""A work tree as a git tree object, without touching the work tree's repository.

Files are read here, by hand, never by git: so no filter, no attribute and no hook can run or change bytes, and nothing
but a regular file is waited for. What may be shown is kept in the session's own repository (``objects``); below the
candidate's ``.git`` nothing is written, and what it holds tomorrow does not matter.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from promptster.errors import WorkspaceError, reason_of
from promptster.session.workspace.file_listing import is_repository, list_files
from promptster.session.workspace.ignored_files import sort_out
from promptster.session.workspace.object_store import ObjectStore
from promptster.session.workspace.snapshot import Change, Entry, Hidden, Snapshot
from promptster.system.folder_walk import Descent
from promptster.system.git import git, git_text
from promptster.system.plain_files import NotPlainError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from promptster.session.workspace.file_listing import Listing

SHOWN_LIMIT: Final = 1024 * 1024
"""Bytes up to which a text file's content may be shown."""
HASHED_LIMIT: Final = 4 * 1024 * 1024 * 1024
"""Bytes of files over 1 MiB that are hashed at one look, ignored ones aside; a sparse file can claim any size."""
_BYTES_AT_ONCE = 16 * SHOWN_LIMIT
_SNIFFED = 8000
_CHUNK = 1024 * 1024
_LINK_MODE = "120000"
_MODULE_MODE = "160000"


class WorkTree:
    """A git work tree, kept in a private repository in ``scratch``."""

    def __init__(self, root: Path, scratch: Path) -> None:
        """Name both folders; nothing is read or made.

        Args:
            root: top level of the work tree, by its real path.
            scratch: a folder of ours for the private repository.
        """
        self.root = root
        self._store = ObjectStore(scratch / "snapshot.git")

    @property
    def is_repository(self) -> bool:
        """Whether the work tree still has a repository of its own.

        Raises:
            WorkspaceError: the work tree is gone, or git refuses it because of its owner.
        """
        self._require()
        return is_repository(self.root)

    def snapshot(
        self, replaced: Mapping[bytes, bytes | None] | None = None, *, before: Snapshot | None = None
    ) -> Snapshot:
        """The work tree as it is now.

        Args:
            replaced: files to take with other content than they have, or as absent (``None``): ours, as they will be
                put back.
            before: the same work tree as it was. Where its repository is no longer the one that it was, which of its
                files belong to it is taken from there.

        Raises:
            WorkspaceError: the work tree is gone, or git refuses it.
        """
        self._require()
        commit = self._commit()
        fresh = self._store.prepare(git_text(["rev-parse", "--show-object-format"], cwd=self.root) or "sha1")
        replaced = replaced or {}
        with self._open() as descent:
            look = _Look(descent, self._store)
            listing = list_files(self.root, descent, self._store.environment)
            paths = listing.files | {path for path, data in replaced.items() if data is not None}
            if before is not None:
                paths |= self._still_part(before, listing)
            files: dict[bytes, Entry] = {}
            keeping = _Keeping(self._store, fresh=fresh)
            for path in sorted(paths):
                if path in replaced:
                    entry, data = look.replaced(path, replaced[path]), replaced[path]
                else:
                    entry, data = look.read(path)
                if entry is None and before is not None and path in listing.left_out:
                    known = before.files.get(path)
                    entry = known if known is not None and known.oid == listing.left_out[path] else None
                if entry is None:
                    continue
                files[path] = entry
                if data is not None and entry.hidden is None:
                    keeping.keep(entry.oid, data)
            keeping.finish()
            for path in listing.unreadable:
                files[path] = _unreadable("040000")
            for path, oid in listing.modules.items():
                files[path] = Entry(mode=_MODULE_MODE, oid=oid, size=0, sha256="", hidden=Hidden.MODULE)
            ignored = self._ignored(look, listing.ignored, files.keys() | replaced.keys())
        return Snapshot(commit=commit, tree=self._store.tree(files), files=files, ignored=ignored)

    def changes(self, before: Snapshot, after: Snapshot) -> list[Change]:
        """What differs, sorted by path, ignored files last; what has no hash may differ and is named each time."""
        found: list[Change] = []
        for path in sorted(before.files.keys() | after.files.keys()):
            old, new = before.files.get(path), after.files.get(path)
            if (old == new and (old is None or not _unhashed(old))) or (
                old is not None and new is None and path in after.ignored
            ):
                continue
            if old is not None and new is None and old.hidden is Hidden.MODULE and _has_below(after, path):
                continue  # its files are listed now
            status = "added" if old is None else "deleted" if new is None else "modified"
            hidden = (old.hidden if old else None) or (new.hidden if new else None)
            found.append(Change(path=path, status=status, before=old, after=new, hidden=hidden))
        for path, entry in sorted(after.ignored.items()):
            old = before.ignored.get(path) or before.files.get(path)
            if old is None or old.sha256 != entry.sha256 or not entry.sha256:
                found.append(Change(path=path, status="ignored", before=old, after=entry, hidden=entry.hidden))
        return self._without_lost(found)

    def diff(self, changes: Iterable[Change]) -> str:
        """A unified diff of every file whose content is shown."""
        shown = [change for change in changes if change.hidden is None]
        return self._store.diff(
            {change.path: change.before for change in shown if change.before},
            {change.path: change.after for change in shown if change.after},
        )

    def _open(self) -> Descent:
        try:
            return Descent(self.root)
        except OSError as error:
            raise WorkspaceError(
                f"cannot read {self.root}: {reason_of(error)}", hint="Make it readable.", code="workspace_lost"
            ) from error

    def _require(self) -> None:
        if not self.root.is_dir():
            raise WorkspaceError(f"{self.root} is gone", hint="Put it back in its place.", code="workspace_lost")

    def _commit(self) -> str:
        """HEAD of the work tree's own repository, and of none around it."""
        if not self.is_repository:
            return ""
        return git_text(["rev-parse", "--verify", "--quiet", "HEAD"], cwd=self.root) or ""

    def _goes_on(self, commit: str) -> bool:
        """Whether the repository is still the one that had this commit."""
        if not self.is_repository:
            return False
        return (
            not commit
            or git_text(["rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"], cwd=self.root) == commit
        )

    def _still_part(self, before: Snapshot, listing: Listing) -> set[bytes]:
        """Files of a former snapshot that belong to the workspace although git no longer names them.

        All of them where its repository is not the one that it was or has lost its index; else those of folders that
        cannot be listed now.
        """
        if not (listing.own and (listing.tracks or not before.commit) and self._goes_on(before.commit)):
            return set(before.files)
        closed = tuple(listing.unreadable)
        return {path for path in before.files if path.startswith(closed)} if closed else set()

    def _without_lost(self, changes: list[Change]) -> list[Change]:
        """Mark files whose earlier content is not kept: a session of version 0.1 kept only what git did not have."""
        wanted = {change.before.oid for change in changes if change.before and change.hidden is None}
        lost = wanted - self._store.existing(wanted)
        lost -= self._taken_over(lost)
        return [
            Change(path=c.path, status=c.status, before=c.before, after=c.after, hidden=Hidden.GONE)
            if c.before and c.before.oid in lost and c.hidden is None
            else c
            for c in changes
        ]

    def _taken_over(self, lost: Collection[str]) -> set[str]:
        """Contents that the candidate's repository still has, kept from now on if they are what their names say."""
        taken: set[str] = set()
        if lost and self.is_repository:
            for oid in sorted(lost):
                try:
                    data = git(["cat-file", "blob", oid], cwd=self.root)
                except WorkspaceError:
                    continue
                if self._store.name(data) == oid:
                    self._store.add(oid, data)
                    taken.add(oid)
            self._store.flush()
        return taken

    def _ignored(self, look: _Look, listed: Sequence[bytes], ours: Collection[bytes]) -> dict[bytes, Entry]:
        sorted_out = sort_out(self.root, listed, ours=ours)
        found: dict[bytes, Entry] = {}
        for path in sorted_out.hashed:
            entry, _ = look.read(path, keep=False)
            if entry is not None:
                hidden = entry.hidden if entry.hidden is Hidden.UNREADABLE else Hidden.IGNORED
                found[path] = replace(entry, oid="", hidden=hidden)
        for path, size in sorted_out.large.items():
            found[path] = Entry(mode="100644", oid="", size=size, sha256="", hidden=Hidden.IGNORED_LARGE)
        for path, pile in sorted_out.piles.items():
            found[path] = Entry(
                mode="040000", oid="", size=pile.size, sha256="", hidden=Hidden.IGNORED_MANY, count=pile.count
            )
        return found


class _Look:
    """Reads files at one moment."""

    def __init__(self, descent: Descent, store: ObjectStore) -> None:
        self.descent, self._store = descent, store
        self._left = HASHED_LIMIT

    def read(self, path: bytes, *, keep: bool = True) -> tuple[Entry | None, bytes | None]:
        """One file of the work tree: its entry, and its content if that may be shown."""
        try:
            facts = self.descent.facts(path)
            if facts is None:
                return None, None
            if stat.S_ISLNK(facts.st_mode):
                target = self.descent.target(path)
                return self._entry(target, _LINK_MODE, _hidden(target, len(target))), target
            if stat.S_ISREG(facts.st_mode) and (handle := self.descent.open(path)) is not None:
                return self._file(handle, keep=keep)
        except (FileNotFoundError, NotADirectoryError, NotPlainError):  # it was replaced by now
            return None, None
        except OSError:
            return _unreadable("100644"), None
        return None, None

    def replaced(self, path: bytes, data: bytes | None) -> Entry | None:
        """The entry of a file that is taken with other content than it has; its mode is the one it has."""
        if data is None:
            return None
        facts = self.descent.facts(path)
        executable = facts is not None and stat.S_ISREG(facts.st_mode) and bool(facts.st_mode & stat.S_IXUSR)
        return self._entry(data, "100755" if executable else "100644", _hidden(data, len(data)))

    def _entry(self, data: bytes, mode: str, hidden: Hidden | None) -> Entry:
        sha256 = hashlib.sha256(data).hexdigest()
        return Entry(mode=mode, oid=self._store.name(data), size=len(data), sha256=sha256, hidden=hidden)

    def _file(self, handle: int, *, keep: bool) -> tuple[Entry, bytes | None]:
        """Read a regular file once; a file that grows meanwhile is taken as it was first measured."""
        try:
            facts = os.fstat(handle)
            mode = "100755" if facts.st_mode & stat.S_IXUSR else "100644"
            small = _some(handle, facts.st_size)
            if len(small) <= SHOWN_LIMIT:
                entry = self._entry(small, mode, _hidden(small, len(small)))
                return entry, small if keep and entry.hidden is None else None
            if facts.st_size > self._left:
                return Entry(mode=mode, oid="", size=facts.st_size, sha256="", hidden=Hidden.UNHASHED), None
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
        return Entry(mode=mode, oid=digest.hexdigest(), size=size, sha256=sha256.hexdigest(), hidden=hidden), None


class _Keeping:
    """Puts contents into the session's repository, many at once."""

    def __init__(self, store: ObjectStore, *, fresh: bool) -> None:
        self._store, self._fresh = store, fresh
        self._waiting: dict[str, bytes] = {}
        self._bytes = 0

    def keep(self, oid: str, data: bytes) -> None:
        """Keep a content sooner or later."""
        if self._fresh:
            self._store.add(oid, data)
            return
        self._waiting[oid] = data
        self._bytes += len(data)
        if self._bytes > _BYTES_AT_ONCE:
            self._write()

    def finish(self) -> None:
        """Keep all of it now."""
        self._write()
        self._store.flush()

    def _write(self) -> None:
        there = self._store.existing(self._waiting)
        for oid, data in self._waiting.items():
            if oid not in there:
                self._store.add(oid, data)
        self._waiting.clear()
        self._bytes = 0


def _has_below(snapshot: Snapshot, folder: bytes) -> bool:
    return any(path.startswith(folder.rstrip(b"/") + b"/") for path in snapshot.files)


def _unhashed(entry: Entry) -> bool:
    return entry.hidden in {Hidden.UNHASHED, Hidden.UNREADABLE}


def _unreadable(mode: str) -> Entry:
    return Entry(mode=mode, oid="", size=0, sha256="", hidden=Hidden.UNREADABLE)


def _some(handle: int, size: int) -> bytes:
    """A file from its beginning, at most one byte more than may be shown."""
    data = os.read(handle, min(size, SHOWN_LIMIT) + 1)
    while len(data) != size and len(data) <= SHOWN_LIMIT and (more := os.read(handle, SHOWN_LIMIT + 1 - len(data))):
        data += more
    return data


def _hidden(data: bytes, size: int) -> Hidden | None:
    if b"\0" in data[:_SNIFFED]:
        return Hidden.BINARY
    if size > SHOWN_LIMIT:
        return Hidden.LARGE
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return Hidden.BINARY
    return None
