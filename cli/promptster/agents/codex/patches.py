"""The patch language of Codex's ``apply_patch``, read into edits; nothing is applied here."""

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
    """Lines that the patch expects: context and what goes."""
    after: list[str] = field(default_factory=list[str])
    """Lines that the patch leaves: context and what comes."""
    section: list[str] = field(default_factory=list[str])
    """The part of the patch as written."""


def read_patch(text: str) -> list[PatchedFile]:
    """The files of a patch, in order; nothing for a text that holds no patch.

    Line feeds alone end its lines, a carriage return before one aside, and only a line of its own ends it: what a file
    holds may look like anything.
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
