"""Output of the collector's commands: one JSON document with ``--json``, text otherwise.

Lines are wrapped for a terminal and left as they are for anything else.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import unicodedata
from typing import TYPE_CHECKING, TextIO

from promptster.errors import UsageError
from promptster.streams import writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from promptster.errors import PromptsterError


def _printable(text: str) -> str:
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    from promptster.replay.invisible_characters import replace_invisible  # noqa: PLC0415 - its pattern costs start-up time

    return replace_invisible(text, lambda _: "\ufffd")


def _cells(text: str) -> int:
    """The number of terminal cells that a text takes."""
    if text.isascii():
        return len(text)
    return sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in text if not unicodedata.combining(one))


def fitted(line: str, width: int) -> list[str]:
    """Wrap a line at ``width`` cells; a line with a command is not wrapped, so that it can be copied.

    Args:
        line: printable text.
        width: cells of a line.
    """
    body = line.lstrip(" ")
    if _cells(line) <= width or (body != line and body.startswith("promptster")):
        return [line]
    lead = " " * (len(line) - len(body) + 2) if body != line else ""
    lines = [""]
    for word in re.findall(" *[^ ]+", line):
        if lines[-1].strip() and _cells(lines[-1] + word) > width:
            lines.append(lead + word.lstrip(" "))
        else:
            lines[-1] += word
    return lines


def _write(stream: TextIO, text: str) -> None:
    words = _printable(text)
    if stream.isatty():
        width = _columns(stream)
        words = "\n".join(part for line in words.split("\n") for part in fitted(line, width))
    stream.write(words + "\n")
    stream.flush()


def _columns(stream: TextIO) -> int:
    """The width of a terminal: ``COLUMNS`` if it is set, 80 if nothing is known."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said) > 0:
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):  # it is closed, or no file
        return 80


def say(text: str) -> None:
    """Print text on standard output."""
    with writing():
        _write(sys.stdout, text)


def document(value: Mapping[str, object]) -> None:
    """Print the one JSON document of a command."""
    with writing():
        sys.stdout.write(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def write_named(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file that the user named; an existing file is kept without ``force``, and links are never followed.

    Raises:
        UsageError: the path is taken or cannot be a file.
        OSError: it cannot be written.
    """
    from promptster_collector.store.durable_files import Durability, write_atomically  # noqa: PLC0415 - not on every system

    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="Choose a file.", code="file")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="Create it first.", code="file")
    if path.exists() and not path.is_file():  # a device or a pipe would be replaced for everybody
        raise UsageError(f"{path} is not a file", hint="Choose a file.", code="file")
    if force:
        write_atomically(path, data, durability=Durability.NAME)  # a link is replaced, and what it names stays
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise UsageError(f"{path} already exists", hint="Add --force to replace it.", code="file_exists") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def failure(error: PromptsterError, *, as_json: bool) -> None:
    """Print an error: as JSON on standard output, or as text on standard error."""
    if as_json:
        document({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
        return
    message = "\\n".join(error.message.split("\n"))  # input must not look like a line of ours
    _write(sys.stderr, f"error: {message}")
    if error.hint:
        _write(sys.stderr, error.hint)
