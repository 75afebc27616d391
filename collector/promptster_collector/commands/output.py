"""Results and errors of the collector's commands: one JSON document with ``--json``, words otherwise."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

from promptster.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from promptster.errors import PromptsterError


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)


def say(text: str) -> None:
    """Words for a person, on standard output."""
    sys.stdout.write(_printable(text) + "\n")
    sys.stdout.flush()


def document(value: Mapping[str, object]) -> None:
    """The one JSON document of a command."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def write_named(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file to a place that somebody named: never over one that is there, and never through a link.

    Raises:
        UsageError: the place is taken, or is none for a file.
        OSError: the system refused it.
    """
    from promptster_collector.store.files import Durability, write_atomically  # noqa: PLC0415 - not on every system

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
    sys.stderr.write(_printable(f"error: {error.message}") + "\n")
    if error.hint:
        sys.stderr.write(_printable(error.hint) + "\n")
