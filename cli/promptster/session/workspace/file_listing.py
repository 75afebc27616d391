"""Which files belong to a workspace: those of its own repository, and those of every repository that lies in it.

Each repository is asked for its own tracked, untracked and ignored files. Where git does not take a folder for a
repository (its ``.git`` is gone, broken or owned by another user), the session's own repository is asked about the
folder instead: nothing is tracked then, and ``.gitignore`` files still count.

What git passes over without a word is found by a walk of our own: a file whose name differs only in case from a tracked
one where the configuration says that this makes no difference, a repository in the place of a tracked file, a folder
that cannot be read.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptster.errors import WorkspaceError
from promptster.system.git import OWNER, TIMEOUT, git, git_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from promptster.system.folder_walk import Descent

_MODULE_MODE = "160000"
_LEFT_OUT = "S"
"""How git marks a tracked file that a sparse checkout leaves out."""


@dataclass(kw_only=True)
class Listing:
    """Paths relative to the workspace."""

    files: set[bytes] = field(default_factory=set[bytes])
    """Tracked files, and files that are neither tracked nor ignored."""
    modules: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """Empty submodules, with the commit that is tracked."""
    left_out: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """Tracked files that a sparse checkout leaves out, with the name of their content."""
    ignored: list[bytes] = field(default_factory=list[bytes])
    """Ignored files, and folders with a slash at their end."""
    unreadable: list[bytes] = field(default_factory=list[bytes])
    """Folders that cannot be listed, with a slash at their end."""
    own: bool = False
    """Whether the workspace's own repository answered."""
    tracks: bool = False
    """Whether anything is tracked by it."""


def is_repository(folder: Path) -> bool:
    """Whether git takes a folder itself, and not one around it, for a work tree.

    Raises:
        WorkspaceError: git refuses it because of its owner.
    """
    return git_text(["rev-parse", "--is-inside-work-tree", "--show-cdup"], cwd=folder) == "true\n"


def list_files(root: Path, descent: Descent, own: Mapping[str, str]) -> Listing:
    """Every file that belongs to a workspace, repositories inside of it included.

    Args:
        root: the workspace.
        descent: the same, open.
        own: the environment of the session's own repository.

    Raises:
        WorkspaceError: git failed on the workspace's own repository.
    """
    found = Listing()
    waiting, passed_over = [b""], list[bytes]()
    asked: dict[bytes, Mapping[str, str] | None] = {}
    while waiting:
        while waiting:
            prefix = waiting.pop()
            inner, asked[prefix] = _list_one(root, prefix, descent, own, found)
            waiting += sorted(inner - asked.keys() - set(waiting), reverse=True)
        passed_over = _passed_over(descent, found)
        waiting = sorted({place for path in passed_over if (place := _repository_of(root, path)) not in asked})
    for prefix, paths in _by_repository(passed_over, asked).items():
        ignored = _ignored_of(root / os.fsdecode(prefix), paths, asked[prefix])
        found.ignored += [prefix + path for path in ignored]
        found.files |= {prefix + path for path in paths - ignored}
    return found


def _list_one(
    root: Path, prefix: bytes, descent: Descent, own: Mapping[str, str], found: Listing
) -> tuple[set[bytes], Mapping[str, str] | None]:
    """Add the files of one folder; returns the folders of repositories inside of it, and with what git was asked."""
    here = root / os.fsdecode(prefix)
    try:
        if is_repository(here):
            inner = _ask(here, prefix, descent, None, found)
            found.own = found.own or not prefix
            return inner, None
    except WorkspaceError as error:
        if error.code == TIMEOUT or (error.code == OWNER and not prefix):
            raise
    env = {**own, "GIT_WORK_TREE": str(here)}
    return _ask(here, prefix, descent, env, found), env


def _ask(here: Path, prefix: bytes, descent: Descent, env: Mapping[str, str] | None, found: Listing) -> set[bytes]:
    """Ask git about one folder, by the folder's own repository or, with ``env``, by another."""
    inner: set[bytes] = set()
    others = _lines(["ls-files", "-z", "--others", "--exclude-standard"], here, env)
    arguments = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"]
    ignored = _lines(arguments, here, env)
    if env is None:
        _add_tracked(here, prefix, descent, found, inner)
    for path in others:
        if path.endswith(b"/"):
            inner.add(prefix + path)
        else:
            found.files.add(prefix + path)
    found.ignored += [prefix + path for path in ignored]
    return inner


def _add_tracked(here: Path, prefix: bytes, descent: Descent, found: Listing, inner: set[bytes]) -> None:
    left_out: dict[bytes, str] = {}
    for line in _lines(["ls-files", "-z", "-t", "--stage"], here, None):
        found.tracks = found.tracks or not prefix
        facts, _, path = line.partition(b"\t")
        tag, mode, oid, _ = facts.decode("ascii").split(" ")
        full = prefix + path
        if mode == _MODULE_MODE:
            if descent.is_folder(full):
                inner.add(full + b"/")
            else:
                found.modules[full] = oid
        else:
            found.files.add(full)
            if tag == _LEFT_OUT:
                left_out[full] = oid
    if left_out and git_text(["config", "--type=bool", "core.sparseCheckout"], cwd=here) == "true":
        found.left_out |= left_out  # without sparse checkout the flag only hides files from git


def _passed_over(descent: Descent, found: Listing) -> list[bytes]:
    """Files and links that git named neither as part of the workspace nor as ignored; folders that cannot be listed.

    Where a disk takes two spellings for one name, git may have named a file by the other one.
    """
    ignored, files = set(found.ignored), dict[bytes, os.stat_result]()
    found.unreadable.clear()
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        try:
            for name, facts in descent.entries(folder):
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
    known = (_facts(descent, path) for path in found.files)
    named = {(each.st_dev, each.st_ino) for each in known if each is not None}
    return [path for path, facts in files.items() if facts.st_nlink > 1 or (facts.st_dev, facts.st_ino) not in named]


def _facts(descent: Descent, path: bytes) -> os.stat_result | None:
    try:
        return descent.facts(path)
    except OSError:
        return None


def _is_kept(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)


def _repository_of(root: Path, path: bytes) -> bytes:
    """The innermost folder around a path, up to the workspace, that keeps a repository; with a slash at its end."""
    while path := path.rpartition(b"/")[0]:
        if os.path.lexists(root / os.fsdecode(path) / ".git"):
            return path + b"/"
    return b""


def _by_repository(paths: Iterable[bytes], asked: Collection[bytes]) -> dict[bytes, set[bytes]]:
    """Paths within the innermost folder that git was asked about, by that folder."""
    found: dict[bytes, set[bytes]] = {}
    for path in paths:
        prefix = path
        while prefix not in asked:
            prefix = prefix.rstrip(b"/").rpartition(b"/")[0]
            prefix += b"/" if prefix else b""
        found.setdefault(prefix, set()).add(path.removeprefix(prefix))
    return found


def _ignored_of(here: Path, paths: Collection[bytes], env: Mapping[str, str] | None) -> set[bytes]:
    """Which of these paths the rules of a repository ignore, tracked or not."""
    query = b"".join(b"./" + path + b"\0" for path in paths)  # a name that begins with a colon is a name too
    arguments = ["check-ignore", "--no-index", "--stdin", "-z"]
    plain = {**(env or {}), "GIT_LITERAL_PATHSPECS": "0"}  # which this command does not know
    answer = git(arguments, cwd=here, env=plain, stdin=query, accept=(0, 1))
    return {path.removeprefix(b"./") for path in answer.split(b"\0") if path}


def _lines(arguments: list[str], here: Path, env: Mapping[str, str] | None) -> list[bytes]:
    return [line for line in git(arguments, cwd=here, env=env).split(b"\0") if line]
