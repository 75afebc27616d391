"""Reads the patch language of Codex's ``apply_patch``; patches are not applied."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BEGIN = "*** Begin Patch"
_END = "*** End Patch"
_HEAD = re.compile(r"^\*\*\* (Add|Update|Delete) File: (.+)$")
_MOVE = "*** Move to: "
_OPERATIONS = {"Add": "create", "Update": "modify", "Delete": "delete"}


@dataclass(kw_only=True)
class PatchedFile:
    """One file's part of a patch."""

    path: str
    """As written in the patch."""
    operation: str
    """create, modify, delete or rename."""
    moved_to: str | None = None
    """The new path of a renamed file."""
    before: list[str] = field(default_factory=list[str])
    """The lines before: context and removed lines."""
    after: list[str] = field(default_factory=list[str])
    """The lines after: context and added lines."""
    section: list[str] = field(default_factory=list[str])
    """The part of the patch as written."""


def read_patch(text: str) -> list[PatchedFile]:
    """The files of a patch, in order; empty for a text without a patch.

    Its lines end with a line feed, with or without a carriage return before it. Only a line of its own ends the patch,
    because a file may contain any text.
    """
    _, begun, rest = text.partition(_BEGIN)
    if not begun:
        return []
    files: list[PatchedFile] = []
    for row in rest.removesuffix("\n").split("\n")[1:]:
        line = row.removesuffix("\r")
        if line.startswith(_END):
            break
        head = _HEAD.match(line)
        if head:
            files.append(PatchedFile(path=head[2].strip(), operation=_OPERATIONS[head[1]], section=[line]))
        elif files:
            _take(files[-1], line)
    return files


def _take(file: PatchedFile, line: str) -> None:
    file.section.append(line)
    if line.startswith(_MOVE):
        file.moved_to, file.operation = line.removeprefix(_MOVE).strip(), "rename"
    elif line.startswith("+"):
        file.after.append(line[1:])
    elif line.startswith("-"):
        file.before.append(line[1:])
    elif not line.startswith(("@@", "***")):
        file.before.append(line[1:])
        file.after.append(line[1:])
