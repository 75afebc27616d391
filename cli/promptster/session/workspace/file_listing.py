"""Finds the files that belong to a workspace: those of its own repository, and of every repository inside it.

Each repository is asked for its own tracked, untracked and ignored files. If git does not accept a folder as a
repository (its ``.git`` is missing, broken or owned by another user), the session's own repository lists the folder
instead: nothing is tracked then, and ``.gitignore`` files still apply.

A walk of our own finds what git skips silently: a file whose name differs only in case from a tracked one if the
configuration ignores case, a repository in the place of a tracked file, and a folder that cannot be read.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptster.errors import WorkspaceError
from promptster.system.git import DEFAULT_TIMING, GitOwnerError, GitTimeoutError, git, git_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from promptster.system.folder_reader import FolderReader
    from promptster.system.git import GitTiming

_MODULE_MODE = "160000"
_LEFT_OUT = "S"
"""Git's tag for a tracked file that a sparse checkout leaves out."""


@dataclass(kw_only=True)
class Listing:
    """The files of a workspace, with paths relative to it."""

    files: set[bytes] = field(default_factory=set[bytes])
    """Tracked files, and files that are neither tracked nor ignored."""
    modules: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """Submodules whose folder is missing or empty, with the tracked commit."""
    left_out: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """Tracked files that a sparse checkout leaves out, with the id of their content."""
    ignored: list[bytes] = field(default_factory=list[bytes])
    """Ignored files, and ignored folders with a trailing slash."""
    unreadable: list[bytes] = field(default_factory=list[bytes])
    """Folders that cannot be listed, with a trailing slash."""
    own: bool = False
    """Whether the workspace's own repository could be read."""
    tracks: bool = False
    """Whether that repository tracks any file."""


def is_repository(folder: Path, *, timing: GitTiming = DEFAULT_TIMING) -> bool:
    """Return whether this folder is the top level of a git work tree.

    Raises:
        GitOwnerError: git refuses it because of its owner.
        GitTimeoutError: git did not finish in time.
    """
    return git_text(["rev-parse", "--is-inside-work-tree", "--show-cdup"], cwd=folder, timing=timing) == "true\n"


def list_files(
    root: Path, reader: FolderReader, own: Mapping[str, str], *, timing: GitTiming = DEFAULT_TIMING
) -> Listing:
    """List every file that belongs to a workspace, including those of repositories inside it.

    Args:
        root: the workspace.
        reader: the workspace's files.
        own: the environment that selects the session's own repository.
        timing: how long each git call may take.

    Raises:
        WorkspaceError: git failed on the workspace's own repository.
    """
    return _Lister(root, reader, own, timing).run()


class _Lister:
    """Collects the listing of one workspace."""

    def __init__(self, root: Path, reader: FolderReader, own: Mapping[str, str], timing: GitTiming) -> None:
        self._root, self._reader, self._own, self._timing = root, reader, own, timing
        self._found = Listing()

    def run(self) -> Listing:
        """List all repositories, then what git skipped."""
        found = self._found
        waiting, skipped = [b""], list[bytes]()
        asked: dict[bytes, Mapping[str, str] | None] = {}
        while waiting:
            while waiting:
                prefix = waiting.pop()
                inner, asked[prefix] = self._list_folder(prefix)
                waiting += sorted(inner - asked.keys() - set(waiting), reverse=True)
            skipped = self._skipped()
            waiting = sorted({place for path in skipped if (place := _repository_of(self._root, path)) not in asked})
        for prefix, paths in _by_repository(skipped, asked).items():
            ignored = self._ignored_of(self._root / os.fsdecode(prefix), paths, asked[prefix])
            found.ignored += [prefix + path for path in ignored]
            found.files |= {prefix + path for path in paths - ignored}
        return found

    def _list_folder(self, prefix: bytes) -> tuple[set[bytes], Mapping[str, str] | None]:
        """Add the files of one folder; returns the repositories inside it, and the environment that git ran in."""
        here = self._root / os.fsdecode(prefix)
        try:
            if is_repository(here, timing=self._timing):
                inner = self._ask(here, prefix, None)
                self._found.own = self._found.own or not prefix
                return inner, None
        except GitTimeoutError:
            raise
        except GitOwnerError:
            if not prefix:
                raise
        except WorkspaceError:
            pass  # broken: the session's own repository lists it below
        env = {**self._own, "GIT_WORK_TREE": str(here)}
        return self._ask(here, prefix, env), env

    def _ask(self, here: Path, prefix: bytes, env: Mapping[str, str] | None) -> set[bytes]:
        """Add what git lists in one folder, by the folder's own repository or by the one that ``env`` selects."""
        inner: set[bytes] = set()
        others = self._lines(["ls-files", "-z", "--others", "--exclude-standard"], here, env)
        arguments = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"]
        ignored = self._lines(arguments, here, env)
        if env is None:
            self._add_tracked(here, prefix, inner)
        for path in others:
            if path.endswith(b"/"):
                inner.add(prefix + path)
            else:
                self._found.files.add(prefix + path)
        self._found.ignored += [prefix + path for path in ignored]
        return inner

    def _add_tracked(self, here: Path, prefix: bytes, inner: set[bytes]) -> None:
        """Add the files that a repository tracks, and its submodules to ``inner``."""
        found = self._found
        left_out: dict[bytes, str] = {}
        for line in self._lines(["ls-files", "-z", "-t", "--stage"], here, None):
            found.tracks = found.tracks or not prefix
            facts, _, path = line.partition(b"\t")
            tag, mode, oid, _ = facts.decode("ascii").split(" ")
            full = prefix + path
            if mode == _MODULE_MODE:
                if self._reader.is_folder(full):
                    inner.add(full + b"/")
                else:
                    found.modules[full] = oid
            else:
                found.files.add(full)
                if tag == _LEFT_OUT:
                    left_out[full] = oid
        sparse = ["config", "--type=bool", "core.sparseCheckout"]
        if left_out and git_text(sparse, cwd=here, timing=self._timing) == "true":
            found.left_out |= left_out  # without a sparse checkout, the tag only makes git skip the file

    def _skipped(self) -> list[bytes]:
        """List the files and links that git named neither as part of the workspace nor as ignored.

        Folders that cannot be listed are noted. On a disk that ignores case, git may have named a file in another
        spelling.
        """
        found, reader = self._found, self._reader
        ignored, files = set(found.ignored), dict[bytes, os.stat_result]()
        found.unreadable.clear()
        waiting = [b""]
        while waiting:
            folder = waiting.pop()
            try:
                for name, facts in reader.entries(folder):
                    path = folder + name
                    if stat.S_ISDIR(facts.st_mode):
                        if path + b"/" not in ignored:
                            waiting.append(path + b"/")
                    elif path not in found.files and path not in ignored and _is_kept(facts):
                        files[path] = facts
            except OSError:
                found.unreadable.append(folder)
        if not files:
            return []
        known = (_facts(reader, path) for path in found.files)
        named = {(each.st_dev, each.st_ino) for each in known if each is not None}
        return [
            path for path, facts in files.items() if facts.st_nlink > 1 or (facts.st_dev, facts.st_ino) not in named
        ]

    def _ignored_of(self, here: Path, paths: Collection[bytes], env: Mapping[str, str] | None) -> set[bytes]:
        """Return the paths that the rules of a repository ignore, tracked or not."""
        query = b"".join(b"./" + path + b"\0" for path in paths)  # a name may begin with a colon
        arguments = ["check-ignore", "--no-index", "--stdin", "-z"]
        plain = {**(env or {}), "GIT_LITERAL_PATHSPECS": "0"}  # this command does not support it
        answer = git(arguments, cwd=here, env=plain, stdin=query, accept=(0, 1), timing=self._timing)
        return {path.removeprefix(b"./") for path in answer.split(b"\0") if path}

    def _lines(self, arguments: list[str], here: Path, env: Mapping[str, str] | None) -> list[bytes]:
        return [line for line in git(arguments, cwd=here, env=env, timing=self._timing).split(b"\0") if line]


def _facts(reader: FolderReader, path: bytes) -> os.stat_result | None:
    try:
        return reader.facts(path)
    except OSError:
        return None


def _is_kept(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)


def _repository_of(root: Path, path: bytes) -> bytes:
    """Return the innermost folder around a path, inside the workspace, that has a ``.git``; with a trailing slash."""
    while path := path.rpartition(b"/")[0]:
        if os.path.lexists(root / os.fsdecode(path) / ".git"):
            return path + b"/"
    return b""


def _by_repository(paths: Iterable[bytes], asked: Collection[bytes]) -> dict[bytes, set[bytes]]:
    """Group paths by the innermost folder that git listed, relative to that folder."""
    found: dict[bytes, set[bytes]] = {}
    for path in paths:
        prefix = path
        while prefix not in asked:
            prefix = prefix.rstrip(b"/").rpartition(b"/")[0]
            prefix += b"/" if prefix else b""
        found.setdefault(prefix, set()).add(path.removeprefix(prefix))
    return found
