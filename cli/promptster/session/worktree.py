"""A work tree as a git tree object, without touching the work tree's repository.

Files are read here, by hand, never by git: so no filter, no attribute and no hook can run or change bytes. Objects that
the repository does not have go to a private object folder, the index is a private file; below ``.git`` nothing is
written.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from promptster.config import make_private_folder
from promptster.errors import WorkspaceError
from promptster.session.git import git, git_text
from promptster.session.ignored import sort_out
from promptster.session.snapshot import Change, Entry, Hidden, Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

SHOWN_LIMIT: Final = 1024 * 1024
"""Bytes up to which a text file's content may be shown."""
_STORED_AT_ONCE = 512
_BYTES_AT_ONCE = 16 * SHOWN_LIMIT
_SNIFFED = 8000
_CHUNK = 1024 * 1024
_LINK_MODE = "120000"
_MODULE_MODE = "160000"


class WorkTree:
    """A git work tree, read through a private repository in ``scratch``."""

    def __init__(self, root: Path, scratch: Path) -> None:
        """Name both folders; nothing is read or made.

        Args:
            root: top level of the work tree.
            scratch: a folder of ours for the private index and objects.
        """
        self.root = root
        self._private = scratch / "snapshot.git"

    def snapshot(self, replaced: Mapping[bytes, bytes | None] | None = None) -> Snapshot:
        """The work tree as it is now.

        Args:
            replaced: files to take with other content than they have, or as absent (``None``): ours, as they will be
                put back.

        Raises:
            WorkspaceError: the work tree is gone, or git refuses it.
        """
        if not self.root.is_dir():
            raise WorkspaceError(f"{self.root} is gone", hint="Put it back where it was.", code="workspace_lost")
        if git_text(["rev-parse", "--show-cdup"], cwd=self.root) != "":  # gone, or another one around it answers
            raise self._lost()
        self._prepare()
        replaced = replaced or {}
        tracked = self._tracked()
        paths = tracked.keys() | self._others() | {path for path, data in replaced.items() if data is not None}
        missing: list[tuple[str, bytes]] = []
        files: dict[bytes, Entry] = {}
        for path in sorted(paths):
            if path in replaced:
                entry, data = self._as_replaced(path, replaced[path]), replaced[path]
            else:
                entry, data = self._read(path, tracked.get(path))
            if entry is None:
                continue
            files[path] = entry
            if data is not None and entry.hidden is None:
                missing.append((entry.oid, data))
                if len(missing) >= _STORED_AT_ONCE or sum(len(kept) for _, kept in missing) > _BYTES_AT_ONCE:
                    self._store(missing)
                    missing.clear()
        self._store(missing)
        return Snapshot(
            commit=git_text(["rev-parse", "--verify", "--quiet", "HEAD"], cwd=self.root) or "",
            tree=self._tree(files),
            files=files,
            ignored=self._ignored(replaced),
        )

    def changes(self, before: Snapshot, after: Snapshot) -> list[Change]:
        """What differs, sorted by path, ignored files last; what has no hash may differ and is named each time."""
        found: list[Change] = []
        for path in sorted(before.files.keys() | after.files.keys()):
            old, new = before.files.get(path), after.files.get(path)
            if old == new or (old is not None and new is None and path in after.ignored):
                continue
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
        before = self._tree({change.path: change.before for change in shown if change.before})
        after = self._tree({change.path: change.after for change in shown if change.after})
        arguments = ["diff-tree", "-r", "-p", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames"]
        arguments += ["--src-prefix=a/", "--dst-prefix=b/", "--text", before, after]
        return git(arguments, cwd=self._private, env=self._env()).decode("utf-8", "replace")

    def _without_lost(self, changes: list[Change]) -> list[Change]:
        """Mark files whose earlier content the repository no longer has."""
        wanted = {change.before.oid for change in changes if change.before and change.hidden is None}
        lost = wanted - self._existing(wanted)
        return [
            Change(path=c.path, status=c.status, before=c.before, after=c.after, hidden=Hidden.GONE)
            if c.before and c.before.oid in lost and c.hidden is None
            else c
            for c in changes
        ]

    def _prepare(self) -> None:
        if (self._private / "HEAD").is_file():
            return
        make_private_folder(self._private)
        form = git_text(["rev-parse", "--show-object-format"], cwd=self.root) or "sha1"
        arguments = ["init", "--quiet", "--bare", "--template=", f"--object-format={form}", "."]
        git(arguments, cwd=self._private, private=True)

    def _env(self, index: str = "index") -> dict[str, str]:
        """Our own repository and index; the other repository's objects are only read."""
        objects = git_text(["rev-parse", "--path-format=absolute", "--git-path", "objects"], cwd=self.root)
        if objects is None:
            raise self._lost()
        return {
            "GIT_DIR": str(self._private),
            "GIT_INDEX_FILE": str(self._private / index),
            "GIT_OBJECT_DIRECTORY": str(self._private / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(objects),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
        }

    def _lost(self) -> WorkspaceError:
        hint = "Put its .git back, or run `git init` there. What was recorded is kept."
        return WorkspaceError(f"{self.root} is no longer a git repository", hint=hint, code="workspace_lost")

    @property
    def _hash(self) -> str:
        config = (self._private / "config").read_text(encoding="utf-8")
        return "sha256" if "sha256" in config else "sha1"

    def _tracked(self) -> dict[bytes, str]:
        """Tracked paths; the value is the commit of another repository tracked there, else empty."""
        listed = git(["ls-files", "-z", "--stage"], cwd=self.root)
        found: dict[bytes, str] = {}
        for line in listed.split(b"\0"):
            if line:
                facts, _, path = line.partition(b"\t")
                mode, oid, _ = facts.decode("ascii").split(" ")
                found[path] = oid if mode == _MODULE_MODE else ""
        return found

    def _others(self) -> set[bytes]:
        listed = git(["ls-files", "-z", "--others", "--exclude-standard"], cwd=self.root)
        return {path for path in listed.split(b"\0") if path}

    def _ignored(self, ours: Collection[bytes]) -> dict[bytes, Entry]:
        arguments = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"]
        listed = [path for path in git(arguments, cwd=self.root).split(b"\0") if path]
        sorted_out = sort_out(self.root, listed, ours=ours)
        found: dict[bytes, Entry] = {}
        for path in sorted_out.hashed:
            entry, _ = self._read(path, None, keep=False)
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

    def _read(self, path: bytes, module: str | None, *, keep: bool = True) -> tuple[Entry | None, bytes | None]:
        """One file of the work tree: its entry, and its content where that may be shown."""
        if module or path.endswith(b"/"):
            return Entry(mode=_MODULE_MODE, oid=module or "", size=0, sha256="", hidden=Hidden.MODULE), None
        place = self._place(path)
        if self._below_link(path):
            return None, None
        try:
            facts = place.lstat()
            if stat.S_ISLNK(facts.st_mode):
                target = os.fsencode(place.readlink())
                return self._entry(target, _LINK_MODE, None), target
            if stat.S_ISREG(facts.st_mode):
                return _file(place, facts, self._hash, keep=keep)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:
            return Entry(mode="100644", oid="", size=0, sha256="", hidden=Hidden.UNREADABLE), None
        return None, None

    def _as_replaced(self, path: bytes, data: bytes | None) -> Entry | None:
        """The entry of a file that is taken with other content than it has; its mode is the one it has."""
        if data is None:
            return None
        place = self._place(path)
        executable = place.is_file() and bool(place.stat().st_mode & stat.S_IXUSR)
        return self._entry(data, "100755" if executable else "100644", _hidden(data, len(data)))

    def _entry(self, data: bytes, mode: str, hidden: Hidden | None) -> Entry:
        digest = _blob_hash(self._hash, len(data))
        digest.update(data)
        sha256 = hashlib.sha256(data).hexdigest()
        return Entry(mode=mode, oid=digest.hexdigest(), size=len(data), sha256=sha256, hidden=hidden)

    def _place(self, path: bytes) -> Path:
        return self.root / os.fsdecode(path)

    def _below_link(self, path: bytes) -> bool:
        """Whether a folder on the way is a link: git would not look behind it, nor do we."""
        place = self._place(path)
        inside = range(path.count(b"/"))
        return any(parent.is_symlink() for parent, _ in zip(place.parents, inside, strict=False))

    def _existing(self, oids: Iterable[str]) -> set[str]:
        asked = sorted(set(oids))
        if not asked:
            return set()
        query = "".join(f"{oid}\n" for oid in asked).encode()
        answer = git(
            ["cat-file", "--batch-check=%(objectname) %(objecttype)"], cwd=self._private, env=self._env(), stdin=query
        )
        lines = [line.split(" ") for line in answer.decode("ascii").splitlines()]
        return {line[0] for line in lines if line[1:] == ["blob"]}

    def _store(self, contents: list[tuple[str, bytes]]) -> None:
        """Write what the repository does not have into the private object folder."""
        there = self._existing(oid for oid, _ in contents)
        for oid, data in contents:
            if oid in there:
                continue
            place = self._private / "objects" / oid[:2] / oid[2:]
            place.parent.mkdir(mode=0o700, exist_ok=True)
            new = place.with_name(f".{place.name}")
            new.touch(0o600)
            new.write_bytes(zlib.compress(b"blob %d\0" % len(data) + data, 1))
            new.replace(place)

    def _tree(self, files: Mapping[bytes, Entry]) -> str:
        """The tree object over these files, built in a fresh private index; contents may be missing."""
        env = self._env("scratch-index")
        index = self._private / "scratch-index"
        index.unlink(missing_ok=True)
        lines = [
            f"{entry.mode} {entry.oid} 0\t".encode() + path
            for path, entry in files.items()
            if entry.oid and not path.endswith(b"/")
        ]
        git(
            ["update-index", "-z", "--index-info"],
            cwd=self._private,
            env=env,
            stdin=b"".join(line + b"\0" for line in lines),
            private=True,
        )
        tree = git(["write-tree", "--missing-ok"], cwd=self._private, env=env, private=True).decode("ascii").strip()
        index.unlink(missing_ok=True)
        return tree


def _quoted(path: str) -> str:
    """A path for git's colon-separated list of object folders."""
    if ":" in path or path.startswith('"'):
        return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return path


def _blob_hash(form: str, size: int) -> Any:
    digest = hashlib.new(form, usedforsecurity=False)
    digest.update(b"blob %d\0" % size)
    return digest


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


def _file(place: Path, facts: os.stat_result, form: str, *, keep: bool) -> tuple[Entry, bytes | None]:
    """Read a regular file once; a file that grows meanwhile is taken as it was first measured."""
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        small = file.read(SHOWN_LIMIT + 1)
        complete = len(small) <= SHOWN_LIMIT
        size = len(small) if complete else facts.st_size
        digest, sha256 = _blob_hash(form, size), hashlib.sha256(small)
        digest.update(small[:size])
        left = size - len(small)
        while left > 0 and (piece := file.read(min(_CHUNK, left))):
            digest.update(piece)
            sha256.update(piece)
            left -= len(piece)
    hidden = _hidden(small, size)
    mode = "100755" if facts.st_mode & stat.S_IXUSR else "100644"
    entry = Entry(mode=mode, oid=digest.hexdigest(), size=size, sha256=sha256.hexdigest(), hidden=hidden)
    return entry, small if keep and complete and hidden is None else None
