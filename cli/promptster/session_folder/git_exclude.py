"""Keeps our editor files out of the candidate's commits, with lines in ``.git/info/exclude`` while the files exist.

An editor's file contains the session's token, and ``git add -A`` would put it into the candidate's history. The lines
are in one block between two markers. The first marker says what was missing before, so that removing the block restores
the exact bytes, even after a crash; anything written around the block stays. Links on the way to the file are not
followed.
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
"""What did not exist before our change."""
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")


def hide(workspace: Path, relative: str) -> None:
    """Make git ignore a file of the workspace; does nothing without a repository, or if we already listed the file.

    Raises:
        WorkspaceError: the list cannot be written, or is not a plain file.
    """
    place = _place(workspace)
    if place is None:
        return
    root, prefix = place
    with _errors_explained(root):
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
    """Check that the list can be written; changes nothing.

    Raises:
        WorkspaceError: it cannot be read, or is not a plain file.
    """
    place = _place(workspace)
    if place is None:
        return
    with _errors_explained(place[0]):
        read_plain(place[0], _LIST)


def show_again(workspace: Path) -> None:
    """Remove our lines, if there are any. If the list cannot be written they stay.

    Lines for files that no longer exist do no harm, so this never prevents the end of a session.
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
        flags, before, after = found[1], data[: found.start()], data[found.end() :]
        if _NEWLINE in flags and not after:
            before = before.removesuffix(b"\n")
        if before + after or _FILE not in flags:
            _replace(root, before + after)
            return
        remove_plain(root, _LIST)
        if _FOLDER in flags:
            remove_empty_folder(root, _INFO)


def is_tracked(workspace: Path, relative: str) -> bool:
    """Return whether git tracks a file of the workspace, so that the list cannot keep it out of the next commit.

    A workspace that does not exist tracks nothing.
    """
    return workspace.is_dir() and bool(git_text(["ls-files", "--", relative], cwd=workspace))


def _place(workspace: Path) -> tuple[Path, str] | None:
    """Return the repository's folder, which linked work trees share, and the workspace's path in the repository."""
    try:
        answer = git_text(["rev-parse", "--git-path", _INFO, "--show-prefix"], cwd=workspace)
    except WorkspaceError:  # if git refuses the folder, nothing can be committed in it
        return None
    if answer is None:
        return None
    info, _, prefix = answer.partition("\n")
    return Path(os.path.realpath((workspace / info).parent)), prefix.removesuffix("\n")


@contextlib.contextmanager
def _errors_explained(root: Path) -> Generator[None]:
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
    """Replace the list's bytes in one step; its mode stays."""
    facts = facts_of(root, _LIST)
    replace_plain(root, _LIST, data, mode=0o644 if facts is None else stat.S_IMODE(facts.st_mode))
