"""Keeping our editor files out of the candidate's commits: lines of ours in ``.git/info/exclude`` while they are there.

An editor's file holds the session's token, and ``git add -A`` would put it into the candidate's history. The lines
stand in one block between two markers, and the first marker says what was missing before, so that taking the block out
gives back the very bytes; whatever somebody writes around it meanwhile stays. Nothing has to be remembered for that, so
it also works after a crash. No link is followed on the way to the file.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import TYPE_CHECKING

from promptster.errors import WorkspaceError, reason_of
from promptster.session.git import git_text
from promptster.session.plain_files import open_root

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_NAME = "exclude"
_NEW = "exclude.promptster-new"
_LIMIT = 16 * 1024 * 1024
_BEGIN = b"# >>> promptster: out of git until the session ends"
_END = b"# <<< promptster\n"
_BLOCK = re.compile(
    rb"^" + re.escape(_BEGIN) + rb"((?: \[[a-z]+\])*)\r?\n"
    rb"((?:/.*(?:\.claude/settings\.local\.json|\.cursor/hooks\.json)\r?\n)*)"
    rb"(?:" + re.escape(_END.strip()) + rb"\r?\n?)?",
    re.MULTILINE,
)  # fmt: skip
_FILE, _FOLDER, _NEWLINE = b" [file]", b" [folder]", b" [newline]"
"""What was not there before us."""
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")


def hide(workspace: Path, relative: str) -> None:
    """Let git leave a file of the workspace out; does nothing where no repository is, or where it does so already.

    Raises:
        WorkspaceError: the list cannot be written, or is no plain file.
    """
    place = _place(workspace)
    if place is None:
        return
    info, prefix = place
    with _told(info):
        made_folder = _make_folder(info)
        with _opened(info) as folder:
            before = _read(folder)
            data = before or b""
            found = _BLOCK.search(data)
            lines = found[2].splitlines(keepends=True) if found else []
            line = os.fsencode("/" + _SPECIAL.sub(r"\\\1", prefix + relative)) + b"\n"
            if line in lines:
                return
            if found:
                flags, data = found[1], data[: found.start()] + data[found.end() :]
            else:
                flags = (_FOLDER if made_folder else b"") + (_FILE if before is None else b"")
                if data and not data.endswith(b"\n"):
                    flags, data = flags + _NEWLINE, data + b"\n"
            block = _BEGIN + flags + b"\n" + b"".join([*lines, line]) + _END
            at = found.start() if found else len(data)
            _replace(folder, data[:at] + block + data[at:])


def require_hideable(workspace: Path) -> None:
    """Whether the list could be written as it stands; changes nothing.

    Raises:
        WorkspaceError: it could not.
    """
    place = _place(workspace)
    if place is None:
        return
    with _told(place[0]), contextlib.suppress(FileNotFoundError), _opened(place[0]) as folder:
        _read(folder)


def show_again(workspace: Path) -> None:
    """Take our lines out again; does nothing where there are none. What cannot be written is left: it hides two files.

    Nobody loses anything by lines that name files of ours which are gone, so this stops no session's end.
    """
    with contextlib.suppress(WorkspaceError, OSError):
        os.close(open_root(workspace))  # a link in the workspace's place leads to another repository
        place = _place(workspace)
        if place is None:
            return
        with _opened(place[0]) as folder:
            data = _read(folder) or b""
            found = _BLOCK.search(data)
            if found is None:
                return
            flags, left, behind = found[1], data[: found.start()], data[found.end() :]
            if _NEWLINE in flags and not behind:
                left = left.removesuffix(b"\n")
            if left + behind or _FILE not in flags:
                _replace(folder, left + behind)
                return
            os.unlink(_NAME, dir_fd=folder)
        if _FOLDER in flags:
            os.rmdir(place[0])  # noqa: PTH106 - a text


def is_tracked(workspace: Path, relative: str) -> bool:
    """Whether git has a file of the workspace already, so that no list keeps it out of the next commit."""
    return bool(git_text(["ls-files", "--", relative], cwd=workspace))


def _place(workspace: Path) -> tuple[str, str] | None:
    """The folder of the list, which linked work trees share, and the workspace's path within its repository."""
    try:
        told = git_text(["rev-parse", "--git-path", "info", "--show-prefix"], cwd=workspace)
    except WorkspaceError:  # whom git refuses here can commit nothing here
        return None
    if told is None:
        return None
    info, _, prefix = told.partition("\n")
    return os.path.join(workspace, info), prefix.removesuffix("\n")  # noqa: PTH118 - a text of git's


@contextlib.contextmanager
def _told(info: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise WorkspaceError(
            f"cannot keep editor files out of git: {info}/{_NAME}: {reason_of(error)}",
            hint="Make it a plain file that you can write, or start without --ide.",
            code="ide_exclude",
        ) from error


def _make_folder(info: str) -> bool:
    try:
        os.mkdir(info)  # noqa: PTH102 - a text
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def _opened(info: str) -> Generator[int]:
    handle = os.open(info, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _read(folder: int) -> bytes | None:
    """The list's bytes; ``None`` if there is none."""
    try:
        handle = os.open(_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LIMIT:
            raise FileExistsError(None, "it is no plain file")
        return file.read()


def _replace(folder: int, data: bytes) -> None:
    """Give the list these bytes in one step; its mode stays."""
    try:
        mode = stat.S_IMODE(os.stat(_NAME, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        mode = 0o644
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_NEW, dir_fd=folder)
    handle = os.open(_NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(handle, mode)
        os.fsync(handle)
    os.rename(_NEW, _NAME, src_dir_fd=folder, dst_dir_fd=folder)
