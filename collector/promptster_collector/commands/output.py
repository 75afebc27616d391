"""Results and errors of the collector's commands: one JSON document with ``--json``, words otherwise."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def failure(error: PromptsterError, *, as_json: bool) -> None:
    """An error: a JSON document on standard output, or words on standard error."""
    if as_json:
        document({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
        return
    sys.stderr.write(_printable(f"error: {error.message}") + "\n")
    if error.hint:
        sys.stderr.write(_printable(error.hint) + "\n")
