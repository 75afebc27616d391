"""Running git on other people's repositories without running anything of theirs.

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
"""The user's own way of reaching a server and of finding git; nothing that points at a repository."""
PATIENCE_S: Final = 120.0
"""Seconds after which git counts as waiting for something that will not come."""
SUSPICION_S: Final = 3.0
"""Seconds after which we look for what it could wait for."""
OWNER: Final = "workspace_owner"
"""The code of the error that git refuses a repository because of its owner."""
TIMEOUT: Final = "git_timeout"
_LINE_BYTES: Final = 8192
_DUBIOUS: Final = b"dubious ownership"


def require_git() -> None:
    """Require git.

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
) -> bytes:
    """Run git and return its standard output; with ``private`` nobody else may read the files that it makes.

    Raises:
        WorkspaceError: git ended with a code that is not in ``accept``; its own last words are in the message.
    """
    done = _run(arguments, cwd=cwd, env=env, stdin=stdin, settings=settings, umask=0o077 if private else -1)
    if done.returncode not in accept:
        if _DUBIOUS in done.stderr:
            raise _owner(cwd, done.stderr)
        word = arguments[2] if arguments[0] == "-c" else arguments[0]
        raise WorkspaceError(f"git {word} failed: {last_words(done.stderr)}", code="git_failed")
    return done.stdout


def git_text(arguments: Sequence[str], *, cwd: Path) -> str | None:
    """Return the one line that git answers, or ``None`` if it has no answer.

    Raises:
        WorkspaceError: it does not answer because of the repository's owner.
    """
    done = _run(arguments, cwd=cwd, env=None, stdin=b"", settings=())
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
                out, err = _communicate(process, stdin, cwd, patient=bool(settings))
            except BaseException:
                process.kill()
                raise
            return subprocess.CompletedProcess(command, process.returncode, out, err)
    except OSError as error:
        raise WorkspaceError(f"git could not be run: {reason_of(error)}", code="git") from error


@contextlib.contextmanager
def _times_kept(folder: Path) -> Generator[None]:
    """Give the shared part of a split index its times back: git sets them anew whenever it reads one."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError):
            for entry in os.scandir(_repository(folder)):
                if entry.name.startswith("sharedindex.") and entry.is_file(follow_symlinks=False):
                    stack.callback(_put_back_times, entry.path, entry.stat(follow_symlinks=False))
        yield


def _repository(folder: Path) -> Path:
    """Where a work tree keeps its repository: ``.git``, or what a file of this name says."""
    place = folder / ".git"
    if not place.is_file():
        return place
    return folder / os.fsdecode(read_regular(place, limit=_LINE_BYTES).removeprefix(b"gitdir: ").rstrip(b"\r\n"))


def _put_back_times(path: str, facts: os.stat_result) -> None:
    with contextlib.suppress(OSError):
        if os.lstat(path).st_mtime_ns != facts.st_mtime_ns:
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns), follow_symlinks=False)


def _communicate(process: subprocess.Popen[bytes], stdin: bytes, cwd: Path, *, patient: bool) -> tuple[bytes, bytes]:
    """What git answers; with ``patient`` however long it takes.

    Raises:
        WorkspaceError: it waits for something that will not come.
    """
    if patient:
        return process.communicate(stdin)
    try:
        return process.communicate(stdin, timeout=SUSPICION_S)
    except subprocess.TimeoutExpired:
        pipe = next(_pipes(cwd), None)
    try:
        return process.communicate(timeout=SUSPICION_S if pipe else PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        hint = f"{pipe} is a named pipe. Move it away." if pipe else "Look whether `git status` answers there."
        raise WorkspaceError(
            f"git waits in {cwd} for something that does not come",
            hint=f"{hint} Then run the same command again.",
            code=TIMEOUT,
        ) from error


def _owner(folder: Path, stderr: bytes) -> WorkspaceError:
    """What git says about an owner, with the command that it names."""
    lines = [line.strip() for line in os.fsdecode(stderr).splitlines()]
    why = next((line.removeprefix("fatal: ") for line in lines if "dubious ownership" in line), "dubious ownership")
    named = next((line for line in lines if "safe.directory" in line), "")
    command = named or f"git config --global --add safe.directory {shlex.quote(str(folder))}"
    return WorkspaceError(
        f"git refuses {folder}: {why}",
        hint=f"It belongs to another user. Make it yours with chown, or, if you trust what is in it:\n{command}",
        code=OWNER,
    )


def _pipes(folder: Path) -> Iterator[str]:
    """Named pipes in the places of files that git reads."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = f"{place}/{name}"
            if name not in {".git", ".gitignore"} and "/.git/" not in path:
                continue
            with contextlib.suppress(OSError):
                if stat.S_ISFIFO(os.lstat(path).st_mode):
                    yield path


def last_words(stderr: bytes) -> str:
    """The last line that git wrote to its standard error."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"
