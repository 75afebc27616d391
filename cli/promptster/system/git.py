"""Runs git on other people's repositories without running any of their code.

Every call drops inherited ``GIT_*`` variables, takes no optional locks, and switches off what a repository's
configuration could make git execute: hooks, the file system monitor, external diffs and text conversions. Filters are
never reached because nothing here asks git to read a file of the work tree into an object. Unless it clones, git may
fetch nothing: it would ask for an object that a partial clone left out in whatever way the repository names.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from promptster.errors import WorkspaceError, reason_of
from promptster.system.plain_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
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
"""How this user reaches a server and finds git; none of these names a repository."""
_LINE_BYTES: Final = 8192
_DUBIOUS: Final = b"dubious ownership"


@dataclass(frozen=True, kw_only=True)
class GitTiming:
    """How long git may take, in seconds; a clone may take any time."""

    search_after_s: float = 3.0
    """After this time we look for a named pipe that git may be blocked on."""
    blocked_s: float = 3.0
    """The further time that git gets if there is such a pipe."""
    give_up_s: float = 120.0
    """The further time that git gets if there is none."""


DEFAULT_TIMING: Final = GitTiming()


class GitOwnerError(WorkspaceError):
    """Git refuses a repository because another user owns it."""

    default_code = "workspace_owner"


class GitTimeoutError(WorkspaceError):
    """Git did not finish in time."""

    default_code = "git_timeout"


def require_git() -> None:
    """Require git.

    Raises:
        WorkspaceError: git is not on PATH.
    """
    if shutil.which("git") is None:
        raise WorkspaceError("git is not installed", hint="Install git, then run `promptster start` again.", code="git")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of every git call."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    return {
        **kept,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
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
    accept: Collection[int] = (0,),
    timing: GitTiming = DEFAULT_TIMING,
) -> bytes:
    """Run git and return its standard output.

    Args:
        arguments: the command and its options.
        cwd: the folder in which git runs.
        env: further environment variables.
        stdin: the bytes that git reads from its standard input.
        settings: further configuration; only a clone needs some, and only with these may git use the network.
        private: whether only this user may read the files that git makes.
        accept: the exit codes that are not failures.
        timing: how long git may take.

    Raises:
        GitOwnerError: git refuses the repository because of its owner.
        GitTimeoutError: git did not finish in time.
        WorkspaceError: git ended with a code that is not in ``accept``; the message ends with git's last line.
    """
    umask = 0o077 if private else -1
    done = _run(arguments, cwd=cwd, env=env, stdin=stdin, settings=settings, umask=umask, timing=timing)
    if done.returncode not in accept:
        if _DUBIOUS in done.stderr:
            raise _owner(cwd, done.stderr)
        word = arguments[2] if arguments[0] == "-c" else arguments[0]
        raise WorkspaceError(
            f"git {word} failed: {last_words(done.stderr)}",
            hint="Repair the repository, then run the same command again.",
            code="git_failed",
        )
    return done.stdout


def git_text(arguments: Sequence[str], *, cwd: Path, timing: GitTiming = DEFAULT_TIMING) -> str | None:
    """Return the line that git prints, or ``None`` if it fails.

    Raises:
        GitOwnerError: git refuses the repository because of its owner.
        GitTimeoutError: git did not finish in time.
    """
    done = _run(arguments, cwd=cwd, env=None, stdin=b"", settings=(), timing=timing)
    if _DUBIOUS in done.stderr:
        raise _owner(cwd, done.stderr)
    return os.fsdecode(done.stdout.removesuffix(b"\n")) if done.returncode == 0 else None


def _run(
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None,
    stdin: bytes,
    settings: Iterable[str],
    timing: GitTiming,
    umask: int = -1,
) -> subprocess.CompletedProcess[bytes]:
    command = ["git", *(word for setting in (*_SAFE, *settings) for word in ("-c", setting)), *arguments]
    variables = environment(env)
    if not settings:  # it does not clone
        variables["GIT_ALLOW_PROTOCOL"] = "none"
    try:
        with (
            _times_kept(cwd),
            subprocess.Popen(
                command,
                cwd=cwd,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                umask=umask,
            ) as process,
        ):
            try:
                out, err = _communicate(process, stdin, cwd, timing=None if settings else timing)
            except BaseException:
                process.kill()
                raise
            return subprocess.CompletedProcess(command, process.returncode, out, err)
    except OSError as error:
        raise WorkspaceError(
            f"git could not be run: {reason_of(error)}",
            hint="Check that git is installed and on your PATH.",
            code="git",
        ) from error


@contextlib.contextmanager
def _times_kept(folder: Path) -> Generator[None]:
    """Restore the times of a split index's shared part, which git changes whenever it reads one."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError):
            for entry in os.scandir(_repository(folder)):
                if entry.name.startswith("sharedindex.") and entry.is_file(follow_symlinks=False):
                    stack.callback(_put_back_times, entry.path, entry.stat(follow_symlinks=False))
        yield


def _repository(folder: Path) -> Path:
    """Return the repository of a work tree: ``.git``, or the folder that a file of this name points to."""
    place = folder / ".git"
    if not place.is_file():
        return place
    return folder / os.fsdecode(read_regular(place, limit=_LINE_BYTES).removeprefix(b"gitdir: ").rstrip(b"\r\n"))


def _put_back_times(path: str, facts: os.stat_result) -> None:
    with contextlib.suppress(OSError):
        if os.lstat(path).st_mtime_ns != facts.st_mtime_ns:
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns), follow_symlinks=False)


def _communicate(
    process: subprocess.Popen[bytes], stdin: bytes, cwd: Path, *, timing: GitTiming | None
) -> tuple[bytes, bytes]:
    """Return what git writes to its standard output and error; without ``timing`` it may take any time.

    Raises:
        GitTimeoutError: it did not finish in time.
    """
    if timing is None:
        return process.communicate(stdin)
    try:
        return process.communicate(stdin, timeout=timing.search_after_s)
    except subprocess.TimeoutExpired:
        pipe = next(_pipes(cwd), None)
    try:
        return process.communicate(timeout=timing.blocked_s if pipe else timing.give_up_s)
    except subprocess.TimeoutExpired as error:
        hint = f"{pipe} is a named pipe. Move it away." if pipe else "Check that `git status` works there."
        raise GitTimeoutError(f"git timed out in {cwd}", hint=f"{hint} Then run the same command again.") from error


def _owner(folder: Path, stderr: bytes) -> GitOwnerError:
    """Return git's refusal because of an owner, with the command that git suggests."""
    lines = [line.strip() for line in os.fsdecode(stderr).splitlines()]
    why = next((line.removeprefix("fatal: ") for line in lines if "dubious ownership" in line), "dubious ownership")
    named = next((line for line in lines if "safe.directory" in line), "")
    command = named or f"git config --global --add safe.directory {shlex.quote(str(folder))}"
    return GitOwnerError(
        f"git refuses {folder}: {why}",
        hint=f"It belongs to another user. Make it yours with chown, or, if you trust what is in it:\n{command}",
    )


def _pipes(folder: Path) -> Iterator[str]:
    """List named pipes in the place of files that git reads."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = f"{place}/{name}"
            if name not in {".git", ".gitignore"} and "/.git/" not in path:
                continue
            with contextlib.suppress(OSError):
                if stat.S_ISFIFO(os.lstat(path).st_mode):
                    yield path


def last_words(stderr: bytes) -> str:
    """Return the last line that git wrote to its standard error."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "git gave no reason"
