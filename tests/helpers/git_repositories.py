"""Git repositories for tests: run as a person runs git, and compared file by file."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.session.workspace.snapshot import Change, HiddenReason


def run_git(root: Path, *arguments: str) -> str:
    """Git as a person runs it, apart from this machine's own settings."""
    env = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.com",
    }
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, cwd=root, env=env, check=True, capture_output=True, text=True).stdout.strip()


def digest_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below a folder with mode, time and content."""
    found: dict[str, tuple[int, int, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(folder))] = (facts.st_mode, facts.st_mtime_ns, data)
    return found


def by_path(changes: list[Change]) -> dict[str, tuple[str, HiddenReason | None]]:
    """Each change's status and reason for being hidden, by path."""
    return {change.shown_path: (change.status, change.hidden) for change in changes}
