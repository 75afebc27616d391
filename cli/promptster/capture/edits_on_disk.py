"""Restores line endings and byte order marks in edits, which agents leave out of their reports.

Claude Code and Codex show the model a file with plain line feeds, and write it back with its own line endings. So a
file is read before and after an edit. Nothing is ever added to an agent's report: a text from the disk replaces a
reported one only if the two differ in nothing but line endings and byte order mark. Only files below the workspace are
read.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_left
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from promptster.capture import actions
from promptster.protocol.events.kinds import AgentEvent, FileEdit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_MARK = "\ufeff"
_LARGEST = 4 << 20
"""Size in bytes above which a file is not read."""
_KEPT = 32 << 20
"""Most characters that are remembered, of all files together."""
_VERSIONS = 4
"""Most states of one file that are remembered."""


class Disk:
    """The latest states of the files that agents edit."""

    def __init__(self, workspace: Path | None = None) -> None:
        """Read files below ``workspace``; none if it is not given."""
        self._root = os.path.realpath(workspace) if workspace is not None else ""
        self._states: OrderedDict[str, list[str]] = OrderedDict()
        self._size = 0

    def look(self, paths: Iterable[str], folder: str = "") -> None:
        """Remember the current content of these files.

        Args:
            paths: files that a tool is about to edit.
            folder: the folder of relative paths; the workspace if empty.
        """
        for path in paths:
            self._look(path, folder)

    def settle(self, finding: AgentEvent, folder: str = "") -> AgentEvent:
        """An edit with the line endings that its texts have on disk; any other event unchanged."""
        path = finding.path if isinstance(finding, FileEdit) else None
        if not isinstance(finding, FileEdit) or not path or path.endswith(".ipynb"):
            return finding
        now = self._look(path, folder)
        states = self._states.get(self._place(path, folder), [])
        if not any("\r" in state or state.startswith(_MARK) for state in states):
            return finding
        return _settled(finding, [state for state in reversed(states) if state != now] or states, now)

    def _look(self, path: str, folder: str) -> str | None:
        place = self._place(path, folder)
        text = _read(place) if place else None
        if text is None:
            return None
        states = self._states.setdefault(place, [])
        self._states.move_to_end(place)
        if text in states:
            states.remove(text)
            self._size -= len(text)
        states.append(text)
        self._size += len(text)
        if len(states) > _VERSIONS:
            self._size -= len(states.pop(0))
        while self._size > _KEPT and len(self._states) > 1:
            _, gone = self._states.popitem(last=False)
            self._size -= sum(map(len, gone))
        return text

    def _place(self, path: str, folder: str) -> str:
        """The file that a path names; empty if it is not below the workspace."""
        if not self._root or "\0" in path:
            return ""
        place = os.path.realpath(os.path.join(folder or self._root, path))  # noqa: PTH118 - pathlib resolves no more
        return place if place.startswith(self._root + os.sep) else ""


def _read(place: str) -> str | None:
    """The text of a file; ``None`` if it is not a regular text file, is too large, or cannot be read at once."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        try:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                return None
            return file.read(_LARGEST + 1).decode("utf-8")
        except (OSError, ValueError):
            return None


class _Found(NamedTuple):
    """A reported text as it is on disk."""

    text: str
    is_whole: bool
    """Whether it is the whole file."""


def _settled(finding: FileEdit, before: Sequence[str], now: str | None) -> FileEdit:
    old_reported, new_reported = finding.before, finding.after
    new = _first(new_reported, [] if now is None else [now])
    old = _first(old_reported, before) or _with_returns(old_reported, before)
    if (old_reported and old is None) or (new_reported and new is None):
        return finding
    old_text = old_reported if old is None else old.text
    new_text = new_reported if new is None else new.text
    if (old_text, new_text) == (old_reported, new_reported):
        return finding
    is_whole = all(found is None or found.is_whole for found in (old, new))
    patch = _patch(finding, old_text, new_text, is_whole=is_whole)
    return structs.replace(finding, before=old_text, after=new_text, patch=patch)


def _patch(finding: FileEdit, old: str | None, new: str | None, *, is_whole: bool) -> str | None:
    """The patch of an edit, computed again for the texts on disk."""
    patch, path = finding.patch or "", finding.path or ""
    if not patch:
        return None
    if not patch.startswith("--- a/"):
        return _with_ends(patch, old or "", new or "")
    if is_whole:
        return actions.unified(path, old or "", new or "")
    pairs = [(old or "", new or "")]
    return actions.passages(path, pairs)


def _with_ends(patch: str, old: str, new: str) -> str:
    """A patch in the ``apply_patch`` language, with each line as it is in the two texts on disk."""
    olds, news = iter(old.split("\n")), iter(new.split("\n"))
    lines: list[str] = []
    for line in patch.split("\n"):
        if line.startswith(("@@", "***")):
            lines.append(line)
            continue
        gone = next(olds, line[1:]) if not line.startswith("+") else ""
        come = next(news, line[1:]) if not line.startswith("-") else ""
        lines.append(line[:1] + (gone if line.startswith("-") else come))
    return "\n".join(lines)


def _first(reported: str | None, states: Sequence[str]) -> _Found | None:
    """A reported text as the first matching state of its file has it."""
    found = (_found(reported, state) or _several(reported, state) for state in states if reported is not None)
    return next((each for each in found if each is not None), None)


def _with_returns(reported: str | None, states: Sequence[str]) -> _Found | None:
    """A text from before the file was read, with the file's line endings: agents write a file back with its own."""
    if reported is None or not states or not _has_returns(states[0]):
        return None
    return _Found(_plain(reported).replace("\n", "\r\n"), is_whole=False)


def _several(reported: str, state: str) -> _Found | None:
    """Several joined passages, whose lines are all in a file with one kind of line endings."""
    first, *lines = _plain(reported).split("\n")
    if not lines:
        return _Found(first, is_whole=False)
    rows = _plain(state).split("\n")
    is_there = any(row.endswith(first) for row in rows) and any(row.startswith(lines[-1]) for row in rows)
    if not is_there or not set(lines[:-1]) <= set(rows):
        return None
    return _with_returns(reported, [state])


def _found(reported: str, state: str) -> _Found | None:
    """A reported text in a file: the whole file, or a passage whose occurrences all have the same line endings."""
    wanted, plain = _plain(reported), _plain(state)
    if wanted == plain:
        return _Found(state, is_whole=True)
    if not wanted.strip("\n"):
        return None
    raw = state.removeprefix(_MARK)
    if "\r\n" not in raw:
        return _Found(wanted, is_whole=False) if wanted in plain else None
    found: set[str] = set()
    at = plain.find(wanted)
    ends = _ends(raw)
    while at >= 0:
        found.add(raw[_raw(at, ends) : _raw(at + len(wanted), ends)])
        if len(found) > 1:
            return None
        at = plain.find(wanted, at + len(wanted))
    return _Found(found.pop(), is_whole=False) if found else None


def _ends(raw: str) -> list[int]:
    """The positions of the carriage returns in a text's line endings, not counting the earlier carriage returns."""
    found: list[int] = []
    at = raw.find("\r\n")
    while at >= 0:
        found.append(at - len(found))
        at = raw.find("\r\n", at + 2)
    return found


def _raw(at: int, ends: Sequence[int]) -> int:
    """Convert a position in the text without carriage returns to the position in the text with them."""
    return at + bisect_left(ends, at)


def _plain(text: str) -> str:
    return text.removeprefix(_MARK).replace("\r\n", "\n")


def _has_returns(text: str) -> bool:
    """Whether every line of a text ends with a carriage return and a line feed."""
    return "\r\n" in text and text.count("\n") == text.count("\r\n")
