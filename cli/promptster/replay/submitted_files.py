"""What was submitted: the manifest's files, each with its part of the difference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from promptster.protocol.events.kinds import SubmissionFinal
from promptster.protocol.events.sources import is_own
from promptster.replay.json_values import as_list, as_object
from promptster.replay.model import Submission, SubmittedFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.replay.model import Entry

_FILE_START = re.compile(r"^(?=diff --git )", re.MULTILINE)


def find_submission(entries: Iterable[Entry]) -> Submission | None:
    """The last submission on record, of those that the workspace reports; ``None`` before there is one."""
    finals = [
        (entry.seq, entry.event)
        for entry in entries
        if isinstance(entry.event, SubmissionFinal) and any(is_own(entry.kind, source) for source in entry.sources)
    ]
    if not finals:
        return None
    seq, final = finals[-1]
    parts = split_diff(final.diff or "")
    lines = [line for item in as_list(final.manifest) if (line := as_object(item))]
    return Submission(seq=seq, files=tuple(_file(line, parts) for line in lines), diff=final.diff)


def split_diff(diff: str) -> dict[str, str]:
    """A git difference cut into files, by their path after the change (before it, for a deleted file)."""
    parts: dict[str, str] = {}
    for part in _FILE_START.split(diff):
        path = _path(part)
        if path is not None:
            parts[path] = part
    return parts


def _path(part: str) -> str | None:
    after = before = None
    for line in part.split("\n"):
        if line.startswith("@@"):
            break
        if line.startswith("+++ "):
            after = _name(line[4:], "b/")
        elif line.startswith("--- "):
            before = _name(line[4:], "a/")
        elif line.startswith("rename to "):
            after = _unquoted(line.removeprefix("rename to "))
    if after or before:
        return after or before
    return _twice(part.split("\n", 1)[0].removeprefix("diff --git "))


def _twice(names: str) -> str | None:
    """The path in ``a/PATH b/PATH``, whatever the path holds."""
    path = names[2 : len(names) // 2]
    return path if path and names == f"a/{path} b/{path}" else None


def _name(text: str, prefix: str) -> str | None:
    name = _unquoted(text.rstrip("\t\r"))
    return None if name == "/dev/null" else name.removeprefix(prefix)


def _unquoted(text: str) -> str:
    """A path as git prints it: in C quotes, with octal bytes, when it has unusual characters."""
    if not (text.startswith('"') and text.endswith('"') and len(text) > 1):
        return text
    data = bytearray()
    for match in re.finditer(rb"\\([0-7]{3})|\\(.)|([^\\]+)", text[1:-1].encode(), re.DOTALL):
        octal, escaped, plain = match.groups()
        if octal:
            data.append(int(octal, 8) & 0xFF)
        elif escaped:
            data += _C_ESCAPES.get(escaped, escaped)
        else:
            data += plain
    return data.decode(errors="backslashreplace")  # as the manifest writes it


_C_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def _file(line: dict[str, Any], parts: dict[str, str]) -> SubmittedFile:
    def text(name: str) -> str | None:
        value = line.get(name)
        return value if isinstance(value, str) else None

    path, size = text("path") or "", line.get("size")
    return SubmittedFile(
        path=path,
        status=text("status") or "",
        size=size if isinstance(size, int) else None,
        sha256=text("sha256"),
        shown=line.get("shown") is True,
        reason=text("reason"),
        diff=parts.get(path),
    )
