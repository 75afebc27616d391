"""Output of commands.

With ``--json`` standard output has exactly one JSON document, the result or the error, and messages go to standard
error. Without it, messages go to standard output and errors to standard error. Everything is escaped.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from typing import TYPE_CHECKING, TextIO

from promptster.streams import writing
from promptster.ui.escape import escape_line, escape_text
from promptster.ui.wrapping import columns, fold, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from promptster.errors import PromptsterError


_COMMAND = re.compile(r"(?: +|[A-Z][a-z]+ {2,})(?!.*[^ ] {4,}[^ ])(?:promptster(?:-collector)?|git|cd|export) ")
"""A line with only a command, indented or after a label such as ``Next``, without an explanation next to it."""
_QUOTED = re.compile("`[^`]{1,60}`")
"""A command inside a sentence."""
_TIED = "\ue000"
"""Stands for a space that does not end a line; a private-use character, so no text of ours has it."""


def write_bytes(pieces: Iterable[bytes]) -> int:
    """Write a file's bytes to standard output; returns their number.

    Raises:
        OutputError: not everything could be written.
        BrokenPipeError: the reader closed the pipe.
    """
    written = 0
    with writing():
        for piece in pieces:
            written += sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return written


def json_document(value: object) -> str:
    """One line of JSON in ASCII, so that no text in it can control a terminal."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("\x7f", "\\u007f")


def _fitted(text: str, width: int) -> str:
    """Escaped text wrapped to ``width`` cells; commands are not broken, so that they can be copied."""
    lines: list[str] = []
    for line in text.split("\n"):
        if _COMMAND.match(line):
            lines.append(line)
        else:
            lines += fold(_QUOTED.sub(lambda match: match[0].replace(" ", _TIED), line), width)
    return "\n".join(lines).replace(_TIED, " ")


class Output:
    """The two streams of one command."""

    def __init__(self, json: bool, *, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:  # noqa: FBT001 - named after its option
        """Write results to ``stdout`` (one document with ``json``) and messages to the right stream."""
        self.json = json
        self._progress = ""
        self._stdout = stdout if stdout is not None else sys.stdout
        self._stderr = stderr if stderr is not None else sys.stderr

    def result(self, document: Mapping[str, object]) -> None:
        """Print the command's result for scripts; only with ``--json``, exactly once."""
        if self.json:
            self._write(self._stdout, json_document(document))

    def say(self, text: str = "") -> None:
        """Print a message on standard output, or on standard error with ``--json``."""
        self._write_words(self._stderr if self.json else self._stdout, text)

    def copied(self, text: str) -> None:
        """Print lines to be copied: never wrapped and never indented."""
        self._write(self._stderr if self.json else self._stdout, escape_text(text))

    def note(self, text: str = "") -> None:
        """Print a message that is not the result, such as a warning, on standard error."""
        self._write_words(self._stderr, text)

    def progress(self, text: str) -> None:
        """Print a line that the next one replaces; outside a terminal, a plain line for each new text."""
        if text == self._progress:
            return
        self._progress = text
        if self._stderr.isatty():
            with contextlib.suppress(OSError):
                line = shortened(escape_line(text), columns(self._stderr) - 1)  # a second line would remain
                self._stderr.write(f"\r\x1b[2K{line}")
                self._stderr.flush()
        else:
            self.note(text)

    def progress_end(self) -> None:
        """Keep the last progress line on the screen."""
        if self._stderr.isatty():
            self._write(self._stderr, "")

    def error(self, error: PromptsterError) -> None:
        """Print an error: a JSON document with ``--json``, otherwise what happened and, on the next line, a hint."""
        if self.json:
            document = {"code": error.code, "message": error.message, "hint": error.hint}
            self._write(self._stdout, json_document({"error": document}))
            return
        message = error.message if error.is_choice else f"error: {error.message}"
        self.note("\\n".join(message.split("\n")))  # a name with a line break cannot imitate a line of ours
        if error.hint:
            self.note(error.hint)

    def _write_words(self, stream: TextIO, text: str) -> None:
        """Write a message, wrapped if the stream is a terminal."""
        words = escape_text(text)
        self._write(stream, _fitted(words, columns(stream)) if stream.isatty() else words)

    def _write(self, stream: TextIO, text: str) -> None:
        beside = stream is not self._stdout  # a message that cannot be shown is no failure
        with contextlib.suppress(OSError) if beside else writing():
            stream.write(text + "\n")
            stream.flush()
