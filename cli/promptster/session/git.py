"""Running git on other people's repositories without running anything of theirs.

Every call drops inherited ``GIT_*`` variables, takes no optional locks, and switches off what a repository's
configuration could make git execute: hooks, the file system monitor, external diffs and text conversions. Filters are
never reached because nothing here asks git to read a file of the work tree into an object.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from promptster.errors import WorkspaceError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_SAFE = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.quotePath=false",
    "diff.external=",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
)
_KEPT = frozenset(
    {"GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_EXEC_PATH"}
)
"""The user's own way of reaching a server and of finding git; nothing that points at a repository."""


def require_git() -> None:
    """Refuse to go on without git.

    Raises:
        WorkspaceError: git is not on PATH.
    """
    if shutil.which("git") is None:
        raise WorkspaceError("git is not installed", hint="Install git, then run `promptster start` again.", code="git")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every git call."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    return {
        **kept,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        **(extra or {}),
    }


def git(
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    settings: Iterable[str] = (),
    private: bool = False,
) -> bytes:
    """Run git and return its standard output; with ``private`` nobody else may read the files that it makes.

    Raises:
        WorkspaceError: git failed; its own last words are in the message.
    """
    done = _run(arguments, cwd=cwd, env=env, stdin=stdin, settings=settings, umask=0o077 if private else -1)
    if done.returncode != 0:
        raise WorkspaceError(f"git {arguments[0]} failed: {last_words(done.stderr)}", code="git_failed")
    return done.stdout


def git_text(arguments: Sequence[str], *, cwd: Path) -> str | None:
    """One line that git answers, or ``None`` where it has no answer."""
    done = _run(arguments, cwd=cwd, env=None, stdin=b"", settings=())
    return os.fsdecode(done.stdout.removesuffix(b"\n")) if done.returncode == 0 else None


def _run(
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None,
    stdin: bytes,
    settings: Iterable[str],
    umask: int = -1,
) -> subprocess.CompletedProcess[bytes]:
    command = ["git", *(word for setting in (*_SAFE, *settings) for word in ("-c", setting)), *arguments]
    try:
        return subprocess.run(
            command, cwd=cwd, env=environment(env), input=stdin, capture_output=True, check=False, umask=umask
        )
    except OSError as error:
        raise WorkspaceError(f"git could not be run: {reason_of(error)}", code="git") from error


def last_words(stderr: bytes) -> str:
    """The last line that git wrote to its standard error."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"
