"""Which files belong to a workspace: those of its own repository, and those of every repository that lies in it.

Each repository is asked for its own tracked, untracked and ignored files. Where git does not take a folder for a
repository (its ``.git`` is gone, broken or somebody else's), the session's own repository is asked about the folder
instead: nothing is tracked then, and ``.gitignore`` files still count.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptster.errors import WorkspaceError
from promptster.session.git import OWNER, TIMEOUT, git, git_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from promptster.session.descent import Descent

_MODULE_MODE = "160000"
_LEFT_OUT = "S"
"""How git marks a tracked file that a sparse checkout leaves out."""


@dataclass(kw_only=True)
class Listing:
    """Paths relative to the workspace."""

    files: set[bytes] = field(default_factory=set[bytes])
    """Tracked files, and files that are neither tracked nor ignored."""
    modules: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """Submodules that nothing stands in, with the commit that is tracked."""
    left_out: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """Tracked files that a sparse checkout leaves out, with the name of their content."""
    ignored: list[bytes] = field(default_factory=list[bytes])
    """Ignored files, and folders with a slash at their end."""
    own: bool = False
    """Whether the workspace's own repository answered."""


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
    waiting, seen = [b""], {b""}
    while waiting:
        prefix = waiting.pop()
        inner = _list_one(root, prefix, descent, own, found)
        waiting += sorted(inner - seen, reverse=True)
        seen |= inner
    return found


def _list_one(root: Path, prefix: bytes, descent: Descent, own: Mapping[str, str], found: Listing) -> set[bytes]:
    """Add the files of one folder; returns the folders of repositories inside of it."""
    here = root / os.fsdecode(prefix)
    try:
        if is_repository(here):
            inner = _ask(here, prefix, descent, None, found)
            found.own = found.own or not prefix
            return inner
    except WorkspaceError as error:
        if error.code == TIMEOUT or (error.code == OWNER and not prefix):
            raise
    return _ask(here, prefix, descent, {**own, "GIT_WORK_TREE": str(here)}, found)


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
    for line in _lines(["ls-files", "-z", "-t", "--stage"], here, None):
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
                found.left_out[full] = oid


def _lines(arguments: list[str], here: Path, env: Mapping[str, str] | None) -> list[bytes]:
    return [line for line in git(arguments, cwd=here, env=env).split(b"\0") if line]
