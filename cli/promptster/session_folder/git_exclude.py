"""Keeping our editor files out of the candidate's commits: lines of ours in ``.git/info/exclude`` while they are there.

An editor's file holds the session's token, and ``git add -A`` would put it into the candidate's history. The lines
are in one block between two markers, and the first marker says what was missing before, so that taking the block out
gives back the very bytes; anything written around it meanwhile stays. Nothing has to be remembered for that, so
it also works after a crash. No link is followed on the way to the file.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from promptster.errors import WorkspaceError, reason_of
from promptster.protocol.agents import CATALOGUE
from promptster.system.git import git_text
from promptster.system.plain_files import (
    NotPlainError,
    facts_of,
    open_root,
    read_plain,
    remove_empty_folder,
    remove_leftover,
    remove_plain,
    replace_plain,
)

if TYPE_CHECKING:
    from collections.abc import Generator

_INFO = "info"
_LIST = f"{_INFO}/exclude"
_BEGIN = b"# >>> promptster: out of git until the session ends"
_END = b"# <<< promptster\n"
_OURS = b"|".join(re.escape(agent.editor_file.encode()) for agent in CATALOGUE if agent.editor_file)
_BLOCK = re.compile(
    rb"^" + re.escape(_BEGIN) + rb"((?: \[[a-z]+\])*)\r?\n"
    rb"((?:/.*(?:" + _OURS + rb")\r?\n)*)"
    rb"(?:" + re.escape(_END.strip()) + rb"\r?\n?)?",
    re.MULTILINE,
)  # fmt: skip
_FILE, _FOLDER, _NEWLINE = b" [file]", b" [folder]", b" [newline]"
"""What was not there before us."""
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")


def hide(workspace: Path, relative: str) -> None:
    """Let git leave a file of the workspace out; does nothing without a repository, or if git already leaves it out.

    Raises:
        WorkspaceError: the list cannot be written, or is no plain file.
    """
    place = _place(workspace)
    if place is None:
        return
    root, prefix = place
    with _told(root):
        has_folder = os.path.lexists(root / _INFO)
        before = read_plain(root, _LIST)
        data = before or b""
        found = _BLOCK.search(data)
        lines = found[2].splitlines(keepends=True) if found else []
        line = os.fsencode("/" + _SPECIAL.sub(r"\\\1", prefix + relative)) + b"\n"
        if line in lines:
            return
        if found:
            flags, data = found[1], data[: found.start()] + data[found.end() :]
        else:
            flags = (b"" if has_folder else _FOLDER) + (_FILE if before is None else b"")
            if data and not data.endswith(b"\n"):
                flags, data = flags + _NEWLINE, data + b"\n"
        block = _BEGIN + flags + b"\n" + b"".join([*lines, line]) + _END
        at = found.start() if found else len(data)
        _replace(root, data[:at] + block + data[at:])


def require_hideable(workspace: Path) -> None:
    """Check whether the list can be written; changes nothing.

    Raises:
        WorkspaceError: it could not.
    """
    place = _place(workspace)
    if place is None:
        return
    with _told(place[0]):
        read_plain(place[0], _LIST)


def show_again(workspace: Path) -> None:
    """Remove our lines, if there are any. What cannot be written is left: it hides two files.

    Nobody loses anything by lines that name files of ours which are gone, so this stops no session's end.
    """
    with contextlib.suppress(WorkspaceError, OSError):
        os.close(open_root(workspace))  # a link in the workspace's place leads to another repository
        place = _place(workspace)
        if place is None:
            return
        root = place[0]
        remove_leftover(root, _LIST)
        data = read_plain(root, _LIST) or b""
        found = _BLOCK.search(data)
        if found is None:
            return
        flags, left, behind = found[1], data[: found.start()], data[found.end() :]
        if _NEWLINE in flags and not behind:
            left = left.removesuffix(b"\n")
        if left + behind or _FILE not in flags:
            _replace(root, left + behind)
            return
        remove_plain(root, _LIST)
        if _FOLDER in flags:
            remove_empty_folder(root, _INFO)


def is_tracked(workspace: Path, relative: str) -> bool:
    """Whether git has a file of the workspace already, so that no list keeps it out of the next commit.

    A workspace that is yet to be made, or is gone, tracks nothing.
    """
    return workspace.is_dir() and bool(git_text(["ls-files", "--", relative], cwd=workspace))


def _place(workspace: Path) -> tuple[Path, str] | None:
    """The folder above that of the list, which linked work trees share, and the workspace's path in its repository."""
    try:
        told = git_text(["rev-parse", "--git-path", _INFO, "--show-prefix"], cwd=workspace)
    except WorkspaceError:  # whom git refuses here can commit nothing here
        return None
    if told is None:
        return None
    info, _, prefix = told.partition("\n")
    return Path(os.path.realpath((workspace / info).parent)), prefix.removesuffix("\n")


@contextlib.contextmanager
def _told(root: Path) -> Generator[None]:
    try:
        yield
    except (OSError, NotPlainError) as error:
        reason = error.message if isinstance(error, NotPlainError) else f"{root / _LIST}: {reason_of(error)}"
        raise WorkspaceError(
            f"cannot keep editor files out of git: {reason}",
            hint="Make it a plain file that you can write, or start without --ide.",
            code="ide_exclude",
        ) from error


def _replace(root: Path, data: bytes) -> None:
    """Give the list these bytes in one step; its mode stays."""
    facts = facts_of(root, _LIST)
    replace_plain(root, _LIST, data, mode=0o644 if facts is None else stat.S_IMODE(facts.st_mode))
