"""Where words and results go.

With ``--json`` standard output carries exactly one JSON document, the result or the error, and every word for people
goes to standard error. Without it, words go to standard output and errors to standard error. All pass the escaper.
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
"""A line that is a command, indented or behind a label such as ``Next``, and nothing that explains it beside it."""
_QUOTED = re.compile("`[^`]{1,60}`")
"""A command inside a sentence."""
_TIED = "\ue000"
"""Stands for a space that no line ends at; private use, so no text of ours has it, and a stranger's shows a space."""


def write_bytes(pieces: Iterable[bytes]) -> int:
    """Write a file's bytes to standard output; returns their number.

    Raises:
        OutputError: they did not all arrive.
        BrokenPipeError: whoever read them is gone.
    """
    written = 0
    with writing():
        for piece in pieces:
            written += sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return written


def json_document(value: object) -> str:
    """One line of JSON in ASCII, so that no text inside it can steer a terminal."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("\x7f", "\\u007f")


def _fitted(text: str, width: int) -> str:
    """Escaped text in lines of at most ``width`` cells; commands stay in one piece, so that they can be copied."""
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
        """Write results to ``stdout`` (one document with ``json``) and words to the stream that fits."""
        self.json = json
        self._progress = ""
        self._stdout = stdout if stdout is not None else sys.stdout
        self._stderr = stderr if stderr is not None else sys.stderr

    def result(self, document: Mapping[str, object]) -> None:
        """The command's result for scripts; printed only with ``--json``, exactly once."""
        if self.json:
            self._write(self._stdout, json_document(document))

    def say(self, text: str = "") -> None:
        """Words for a person: standard output, or standard error when that carries JSON."""
        self._write_words(self._stderr if self.json else self._stdout, text)

    def copied(self, text: str) -> None:
        """Lines that are there to be copied: at any width each is one line, with nothing in front of it."""
        self._write(self._stderr if self.json else self._stdout, escape_text(text))

    def note(self, text: str = "") -> None:
        """Words beside the result, such as progress or a warning: always standard error."""
        self._write_words(self._stderr, text)

    def progress(self, text: str) -> None:
        """A line that the next one replaces; where standard error is no terminal, a plain line for each new text."""
        if text == self._progress:
            return
        self._progress = text
        if self._stderr.isatty():
            with contextlib.suppress(OSError):
                line = shortened(escape_line(text), columns(self._stderr) - 1)  # a second line would stay behind
                self._stderr.write(f"\r\x1b[2K{line}")
                self._stderr.flush()
        else:
            self.note(text)

    def progress_end(self) -> None:
        """Leave the last progress line standing."""
        if self._stderr.isatty():
            self._write(self._stderr, "")

    def error(self, error: PromptsterError) -> None:
        """The error: a JSON document with ``--json``, else what happened and, on the next line, what to do."""
        if self.json:
            document = {"code": error.code, "message": error.message, "hint": error.hint}
            self._write(self._stdout, json_document({"error": document}))
            return
        message = error.message if error.is_choice else f"error: {error.message}"
        self.note("\\n".join(message.split("\n")))  # a name with a line break in it pretends to be no line of ours
        if error.hint:
            self.note(error.hint)

    def _write_words(self, stream: TextIO, text: str) -> None:
        """Words as they are, and on a terminal with lines of its width."""
        words = escape_text(text)
        self._write(stream, _fitted(words, columns(stream)) if stream.isatty() else words)

    def _write(self, stream: TextIO, text: str) -> None:
        beside = stream is not self._stdout  # words that cannot be shown stop nothing
        with contextlib.suppress(OSError) if beside else writing():
            stream.write(text + "\n")
            stream.flush()
