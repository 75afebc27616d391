"""Results and errors of the collector's commands: one JSON document with ``--json``, words otherwise.

A terminal is given lines of its width; whatever else reads gets them as they are.
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
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in text if not unicodedata.combining(one))


def fitted(line: str, width: int) -> list[str]:
    """A line as lines of at most ``width`` cells, words whole; a command stays in one piece, so that it can be copied.

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
    """How wide a terminal is; ``COLUMNS`` goes first, and one that does not say is taken for 80."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said) > 0:
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):  # it is closed, or no file
        return 80


def say(text: str) -> None:
    """Words for a person, on standard output."""
    with writing():
        _write(sys.stdout, text)


def document(value: Mapping[str, object]) -> None:
    """The one JSON document of a command."""
    with writing():
        sys.stdout.write(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def write_named(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file to a place that somebody named: never over one that is there, and never through a link.

    Raises:
        UsageError: the place is taken, or is none for a file.
        OSError: the system refused it.
    """
    from promptster_collector.store.durable_files import Durability, write_atomically  # noqa: PLC0415 - not on every system

    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="Name a file.", code="file")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="Create it first.", code="file")
    if path.exists() and not path.is_file():  # a device or a pipe would be replaced for everybody
        raise UsageError(f"{path} is not a file", hint="Name a file.", code="file")
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
    """An error: a JSON document on standard output, or words on standard error."""
    if as_json:
        document({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
        return
    message = "\\n".join(error.message.split("\n"))  # what was typed with a line break in it is no line of ours
    _write(sys.stderr, f"error: {message}")
    if error.hint:
        _write(sys.stderr, error.hint)
