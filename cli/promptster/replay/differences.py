"""Differences for people: unified text from what an edit said it did.

What the agent gave as a patch is shown as it is. Otherwise the difference is computed from the text before and after.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptster.replay.model import Entry

_CONTEXT = 3
_MOST_LINES = 3000
"""Lines on either side up to which a difference is computed line by line; beyond, one block replaces the other."""


def edit_diff(entry: Entry) -> str | None:
    """The difference that a ``file_edit`` made; ``None`` where the record does not say."""
    patch = _text(entry, "patch")
    if patch:
        return patch
    before, after = _text(entry, "before"), _text(entry, "after")
    if before is None and after is None:
        return None
    return unified(before or "", after or "")


def unified(before: str, after: str) -> str:
    """A unified difference without file names.

    Lines that both texts begin and end with are set aside first, so that a small change of a large file stays cheap.
    """
    old, new = before.splitlines(), after.splitlines()
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    begin = max(head - _CONTEXT, 0)
    old_part = old[begin : len(old) - max(tail - _CONTEXT, 0)]
    new_part = new[begin : len(new) - max(tail - _CONTEXT, 0)]
    if max(len(old_part), len(new_part)) > _MOST_LINES:
        lines = [f"@@ -{begin + 1},{len(old_part)} +{begin + 1},{len(new_part)} @@"]
        lines += [f"-{line}" for line in old_part]
        lines += [f"+{line}" for line in new_part]
        return "\n".join(lines)
    hunks = list(difflib.unified_diff(old_part, new_part, n=_CONTEXT, lineterm=""))[2:]
    return "\n".join(_moved(line, begin) for line in hunks)


def _moved(line: str, by: int) -> str:
    """A hunk's header with its line numbers counted from the file's beginning."""
    if not by or not line.startswith("@@"):
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


def count_changes(diff: str) -> tuple[int, int]:
    """Added and removed lines of a difference."""
    added = removed = 0
    in_hunk = "\n@@" not in diff and not diff.startswith("@@")
    for line in diff.split("\n"):
        if line.startswith("@@"):
            in_hunk = True
        elif line.startswith("diff --git "):
            in_hunk = False
        elif in_hunk and line.startswith("+"):
            added += 1
        elif in_hunk and line.startswith("-"):
            removed += 1
    return added, removed


def _text(entry: Entry, name: str) -> str | None:
    value = entry.fields.get(name)
    return value if isinstance(value, str) else None
