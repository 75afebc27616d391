"""A workspace from its start to its submission, as the commands read it, without a recorder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.git_repositories import by_path, run_git

from promptster.session.workspace.snapshot import Snapshot
from promptster.session.workspace.worktree import DEFAULT_LIMITS, WorkTree

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.session.workspace.snapshot import Change, HiddenReason
    from promptster.session.workspace.worktree import WorkTreeLimits


def commit_all(root: Path) -> None:
    """Everything in one commit."""
    run_git(root, "add", "-A")
    run_git(root, "commit", "-qm", "x")


def make(root: Path, **files: str) -> None:
    """A repository with one commit."""
    root.mkdir(parents=True)
    run_git(root, "init", "-q")
    for name, text in files.items():
        (root / name).write_text(text)
    commit_all(root)


class Session:
    """A workspace from its start to its submission, as the commands read it."""

    def __init__(self, root: Path, scratch: Path, *, limits: WorkTreeLimits = DEFAULT_LIMITS) -> None:
        """Take the start's snapshot."""
        self.root, self._scratch = root, scratch
        self.before = Snapshot.from_json(WorkTree(root, scratch, limits=limits).snapshot().to_json())

    def submitted(self) -> tuple[dict[str, tuple[str, HiddenReason | None]], str]:
        """What a later process would submit: what changed, and the difference."""
        changes, diff = self.changes()
        return by_path(changes), diff

    def changes(self, *, limits: WorkTreeLimits = DEFAULT_LIMITS) -> tuple[list[Change], str]:
        """The same with everything about each file."""
        tree = WorkTree(self.root, self._scratch, limits=limits)
        changes = tree.changes(self.before, tree.snapshot(before=self.before))
        return changes, tree.diff(changes)
