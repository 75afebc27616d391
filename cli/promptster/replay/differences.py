"""Differences as text: read line by line, computed, and freed of places that they do not know.

A difference is read by the counts that its hunks announce, never by how a line begins: ``--- x`` inside a hunk is the
removed line ``-- x``. A hunk whose head is a bare ``@@`` has no known place in its file and ends at the next head.
"""

from __future__ import annotations

import difflib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NO_NEWLINE = "\\ No newline at end of file"
_CONTEXT = 3
_MOST_LINES = 3000
"""Lines on either side up to which a difference is computed line by line; beyond, one block replaces the other."""
_PLACED = re.compile(r"@@ -(\d{1,12})(?:,(\d{1,12}))? \+(\d{1,12})(?:,(\d{1,12}))? @@")
UPDATED_FILE = "*** Update File: "
"""How a section of an ``apply_patch`` patch begins that changes or moves a file."""
_END_OF_PATCH = "*** End Patch"
_MARKS = {"+": "added", "-": "removed", " ": "context", "": "context", "\\": "note"}
_LEADING_TABS = re.compile("(?<![^\r\u2028\u2029])\t+")
"""Tabs that a line begins with, as JavaScript sees lines."""


class LineKind(StrEnum):
    """What one line of a difference is."""

    HEAD = "head"
    """About a file: its names, its hashes."""
    HUNK = "hunk"
    """The position of the lines after it."""
    CONTEXT = "context"
    """A line that both texts have."""
    ADDED = "added"
    """A line that only the text after has."""
    REMOVED = "removed"
    """A line that only the text before had."""
    NOTE = "note"
    """About the line before it, such as that no newline ends it."""


def classify(lines: Sequence[str]) -> list[LineKind]:
    """What each line of a difference is.

    Args:
        lines: a unified difference of one or many files, also with hunks of unknown place, or a patch in the language
            of OpenAI's ``apply_patch`` tool; cut at line feeds only.
    """
    reader = _Reader(is_free=not any(line.startswith(("@@", "*** ", "diff --git ", "--- ")) for line in lines))
    return [reader.read(line) for line in lines]


class _Reader:
    """Walks over a difference."""

    def __init__(self, *, is_free: bool) -> None:
        self._is_free = is_free
        """Whether we are in a hunk that announced no counts."""
        self._old = self._new = 0
        """Lines that the hunk still owes."""

    def read(self, line: str) -> LineKind:
        kind = LineKind(_MARKS.get(line[:1], "head"))
        if self._old > 0 or self._new > 0:
            if kind is not LineKind.HEAD:
                self._old -= kind in {LineKind.CONTEXT, LineKind.REMOVED}
                self._new -= kind in {LineKind.CONTEXT, LineKind.ADDED}
                return kind
            self._old = self._new = 0
        if placed := _PLACED.match(line):
            self._is_free = False
            self._old, self._new = (1 if count is None else int(count) for count in placed.group(2, 4))
            return LineKind.HUNK
        if line == "@@" or line.startswith("@@ "):
            self._is_free = True
            return LineKind.HUNK
        if line.startswith(("*** ", "diff --git ")):
            self._is_free = line.startswith("*** ") and line != _END_OF_PATCH
            return LineKind.HEAD
        return kind if self._is_free or kind is LineKind.NOTE else LineKind.HEAD


def from_hunks(hunks: Sequence[Any]) -> list[str] | None:
    """A difference from hunks of the shape {oldStart, oldLines, newStart, newLines, lines}; ``None`` if one has not."""
    found: list[str] = []
    for hunk in hunks:
        try:
            found.append(f"@@ -{hunk['oldStart']},{hunk['oldLines']} +{hunk['newStart']},{hunk['newLines']} @@")
            found += map(str, hunk["lines"])
        except (KeyError, TypeError):
            return None
    return found


def count_changes(diff: str) -> tuple[int, int]:
    """Added and removed lines of a difference."""
    kinds = classify(diff.split("\n"))
    return kinds.count(LineKind.ADDED), kinds.count(LineKind.REMOVED)


def lines_of(text: str) -> list[str]:
    """A text's lines with their line feeds; nothing else ends a line, as in every tool that compares files."""
    *ended, last = text.split("\n")
    return [f"{line}\n" for line in ended] + ([last] if last else [])


def is_comparable(before: str, after: str) -> bool:
    """Whether what differs between two texts is short enough to be compared line by line."""
    old, new = lines_of(before), lines_of(after)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    return max(len(old), len(new)) - head - tail <= _MOST_LINES - 2 * _CONTEXT


def unified(before: str, after: str) -> str:
    """A unified difference of two whole texts, without file names.

    Lines that both texts begin and end with are set aside first, so that a small change of a large file stays cheap.
    """
    return "\n".join(_compared(lines_of(before), lines_of(after)))


def passages(pairs: Iterable[tuple[str, str]]) -> str:
    """What became of passages whose places in their file are unknown: hunks without numbers.

    A passage may begin and end within a line: where it ends says nothing about the end of its file.
    """
    found: list[str] = []
    for before, after in pairs:
        found += unplaced(list(_compared(lines_of(before), lines_of(after))))
    return "\n".join(found)


def unplaced(lines: Sequence[str]) -> list[str]:
    """A difference of passages without the places that it cannot know: line numbers, and ends of files."""
    found: list[str] = []
    for line, kind in zip(lines, classify(lines), strict=True):
        if kind is LineKind.HUNK and _PLACED.match(line):
            found.append("@@")
        elif kind is not LineKind.NOTE:
            found.append(line)
    return found


def without_names(lines: Sequence[str]) -> list[str]:
    """A difference without the lines that name its one file."""
    return [
        line
        for line, kind in zip(lines, classify(lines), strict=True)
        if not (kind is LineKind.HEAD and line.startswith(("--- ", "+++ ")))
    ]


def agrees(before: str, after: str, patch: str) -> bool:
    """Whether a patch makes the one text of the other, tabs that its lines begin with and the very end aside.

    Claude Code writes two spaces for each such tab into the patches that it reports.
    """
    old, new = ([_spaced(line) for line in _rows(text)] for text in (before, after))
    return applied(old, [line[:1] + _spaced(line[1:]) for line in patch.split("\n")]) == new


def applied(before: Sequence[str], patch: Sequence[str]) -> list[str] | None:
    """Lines after a patch; ``None`` if it does not fit them. Neither has line feeds."""
    result: list[str] = []
    at = 0
    for line, kind in zip(patch, classify(patch), strict=True):
        if kind is LineKind.HUNK:
            placed = _PLACED.match(line)
            if placed is None:
                return None
            begin = min(int(placed[1]) - (placed[2] is None or int(placed[2]) > 0), len(before))
            if begin < at:
                return None
            result += before[at:begin]
            at = begin
        elif kind in {LineKind.CONTEXT, LineKind.REMOVED}:
            if at >= len(before) or before[at] != line[1:]:
                return None
            at += 1
        if kind in {LineKind.CONTEXT, LineKind.ADDED}:
            result.append(line[1:])
    return [*result, *before[at:]]


def _rows(text: str) -> list[str]:
    return [line.removesuffix("\n") for line in lines_of(text)]


def _spaced(line: str) -> str:
    return _LEADING_TABS.sub(lambda tabs: "  " * len(tabs[0]), line) if "\t" in line else line


def _compared(old: list[str], new: list[str]) -> Iterator[str]:
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    begin = max(head - _CONTEXT, 0)
    old_part = old[begin : len(old) - max(tail - _CONTEXT, 0)]
    new_part = new[begin : len(new) - max(tail - _CONTEXT, 0)]
    if max(len(old_part), len(new_part)) > _MOST_LINES:
        yield f"@@ -{_span(begin, len(old_part))} +{_span(begin, len(new_part))} @@"
        for mark, lines in (("-", old_part), ("+", new_part)):
            for line in lines:
                yield from _ended(mark + line)
        return
    for line in list(difflib.unified_diff(old_part, new_part, n=_CONTEXT, lineterm=""))[2:]:
        yield from [_moved(line, begin)] if line.startswith("@@") else _ended(line)


def _ended(line: str) -> Iterator[str]:
    yield line.removesuffix("\n")
    if not line.endswith("\n"):
        yield NO_NEWLINE


def _span(begin: int, length: int) -> str:
    """A hunk's place as it is written: a span of no lines is named by the line before it."""
    return f"{begin + (1 if length else 0)},{length}"


def _moved(line: str, by: int) -> str:
    """A hunk's head with its line numbers counted from the file's beginning."""
    if not by:
        return line
    _, old, new, _ = line.split(" ", 3)
    return f"@@ -{_shift(old[1:], by)} +{_shift(new[1:], by)} @@"


def _shift(span: str, by: int) -> str:
    start, comma, length = span.partition(",")
    return f"{int(start) + by}{comma}{length}"


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
