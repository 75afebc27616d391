"""Checks the folder in which the candidate will work, and makes it a git work tree if needed.

Existing files stay as they are. Only a new or empty folder is filled: with a clone of the assessment's repository, or
with ``git init`` if the assessment has none.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from promptster.errors import WorkspaceError
from promptster.paths import home_path
from promptster.system.git import git, git_text, require_git

if TYPE_CHECKING:
    from promptster.paths import Paths

_ALLOWED = re.compile(r"(https://|ssh://|file:///|/|[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:)[^\x00-\x1f]*")
_LOOPBACK_HTTP = re.compile(r"http://(127\.0\.0\.1|\[::1\])[:/][^\x00-\x1f]*")
_PROTOCOLS = ("protocol.allow=never", "protocol.https.allow=always", "protocol.ssh.allow=always")
_LOCAL_PROTOCOLS = ("protocol.file.allow=always", "protocol.http.allow=always")


class Plan(StrEnum):
    """How the workspace is prepared."""

    TAKE = "take"
    """A git work tree exists and is used as it is."""
    CLONE = "clone"
    INIT = "init"


@dataclass(frozen=True, kw_only=True)
class WorkspacePlan:
    """What ``prepare`` will do."""

    root: Path
    """Absolute path of the work tree's top level."""
    plan: Plan
    repository: str | None
    """What will be cloned."""

    def sentence(self) -> str:
        """Return the plan as the end of a sentence that begins with "Promptster"."""
        place = home_path(self.root)
        match self.plan:
            case Plan.TAKE:
                return f"uses {place} as it is"
            case Plan.CLONE:
                return f"clones the task into {place}"
            case Plan.INIT:
                return f"creates an empty git repository in {place}"
            case _:  # pragma: no cover
                assert_never(self.plan)


def plan_workspace(folder: Path, repository: str | None, paths: Paths, *, local_allowed: bool = True) -> WorkspacePlan:
    """Decide how to prepare a folder; changes nothing.

    Args:
        folder: where the candidate wants to work.
        repository: what the assessment asks to clone.
        paths: our own folders, which must not overlap.
        local_allowed: whether the repository may be a folder of this computer, which only a local collector may name.

    Raises:
        WorkspaceError: the folder is not suitable; the hint names one that would be.
    """
    require_git()
    root = Path(os.path.realpath(folder.expanduser()))
    _refuse_unsuitable(root, paths)
    if root.exists() and not root.is_dir():
        raise WorkspaceError(f"{root} is not a folder", hint="Choose a new folder.", code="workspace_unsuitable")
    if not root.exists() or not any(root.iterdir()):
        return _plan_fresh(root, repository, local_allowed=local_allowed)
    top = git_text(["rev-parse", "--show-toplevel"], cwd=root)
    if top is None:
        hint = "Choose an empty or a new folder, or run `git init` there first."
        raise WorkspaceError(f"{root} is not a git repository", hint=hint, code="workspace_unsuitable")
    if os.path.realpath(top) != str(root):
        raise _inside(root, top)
    if not os.access(root, os.W_OK | os.X_OK):
        raise WorkspaceError(f"{root} is not writable", hint="Choose another folder.", code="workspace_unsuitable")
    return WorkspacePlan(root=root, plan=Plan.TAKE, repository=None)


def _plan_fresh(root: Path, repository: str | None, *, local_allowed: bool) -> WorkspacePlan:
    above = root if root.exists() else next(parent for parent in root.parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise WorkspaceError(f"cannot write to {above}", hint="Choose another folder.", code="workspace_unsuitable")
    try:
        top = git_text(["rev-parse", "--show-toplevel"], cwd=above)
    except WorkspaceError:  # another user's repository is around it; a separate one will be created here
        top = None
    if top is not None and not Path(os.path.realpath(Path.home())).is_relative_to(os.path.realpath(top)):
        raise _inside(root, top)  # a home folder that is itself a work tree does not count
    if repository is None:
        return WorkspacePlan(root=root, plan=Plan.INIT, repository=None)
    local = is_local_repository(repository)
    if (local and not local_allowed) or not is_clonable(repository):
        raise WorkspaceError(
            "the task's repository has an address that is not safe to clone",
            hint="Ask the hiring team for one with https or ssh. Your invite is still valid.",
            code="repository_address",
        )
    return WorkspacePlan(root=root, plan=Plan.CLONE, repository=repository)


def is_local_repository(address: str) -> bool:
    """Return whether an address names something on the computer that reads it."""
    return address.startswith(("/", "file:")) or _LOOPBACK_HTTP.fullmatch(address) is not None


def is_clonable(address: str) -> bool:
    """Return whether ``start`` clones addresses of this form."""
    return is_local_repository(address) or _ALLOWED.fullmatch(address) is not None


def _inside(root: Path, top: str) -> WorkspaceError:
    hint = f"Add --workspace {top}, or choose a folder outside of it."
    return WorkspaceError(f"{root} is inside another repository, {top}", hint=hint, code="workspace_unsuitable")


def _refuse_unsuitable(root: Path, paths: Paths) -> None:
    hint = "Add --workspace with a folder for this assessment alone, for example ~/assessment."
    home = Path(os.path.realpath(Path.home()))
    if root in (home, *home.parents):
        raise WorkspaceError(f"{root} is too broad for an assessment", hint=hint, code="workspace_unsuitable")
    for ours in (paths.config, paths.data, paths.state):
        own = Path(os.path.realpath(ours))
        if own.is_relative_to(root) or root.is_relative_to(own):
            raise WorkspaceError(
                f"{root} overlaps with Promptster's own folder {own}", hint=hint, code="workspace_unsuitable"
            )
    if ".git" in root.parts:
        raise WorkspaceError(f"{root} is inside a .git folder", hint=hint, code="workspace_unsuitable")


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What ``prepare`` created, so that a start that fails can remove it."""

    plan: WorkspacePlan
    folders: tuple[Path, ...]
    """Folders that did not exist before, innermost first."""

    def undo(self) -> None:
        """Remove what was created, unless files were added or changed since."""
        root = self.plan.root
        if self.plan.plan is Plan.TAKE or git_text(["status", "--porcelain", "--ignored"], cwd=root) != "":
            return
        with contextlib.suppress(OSError):
            for path in list(root.iterdir()):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            for folder in self.folders:
                folder.rmdir()


def prepare(plan: WorkspacePlan) -> Preparation:
    """Carry out the plan. No hook runs, and only the usual protocols are used.

    Raises:
        WorkspaceError: git failed; folders that were created here and stayed empty are removed.
    """
    if plan.plan is Plan.TAKE:
        return Preparation(plan=plan, folders=())
    made = tuple(folder for folder in (plan.root, *plan.root.parents) if not folder.exists())
    plan.root.mkdir(parents=True, exist_ok=True)
    try:
        match plan.plan:
            case Plan.INIT:
                git(["init", "--quiet", "--template=", "."], cwd=plan.root)
            case Plan.CLONE:
                _clone(plan)
            case _:  # pragma: no cover
                assert_never(plan.plan)
    except WorkspaceError:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise
    return Preparation(plan=plan, folders=made)


def _clone(plan: WorkspacePlan) -> None:
    arguments = ["clone", "--quiet", "--no-hardlinks", "--template=", "--", plan.repository or "", "."]
    try:
        git(arguments, cwd=plan.root, settings=(*_PROTOCOLS, *_LOCAL_PROTOCOLS))
    except WorkspaceError as error:
        raise WorkspaceError(
            f"cannot clone the task: {error.message}",
            hint="Check your access to it, then run the same command again. Your invite is still valid.",
            code="clone_failed",
        ) from error
