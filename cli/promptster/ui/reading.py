"""Reading longer text in a terminal: wrapped, a screen at a time."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TextIO

from promptster.ui.escape import escape_text

_WIDTH = 80
_BULLETS = ("- ", "* ")
_PIECE = 8192
"""Characters of a line that are wrapped at a time: the library's effort grows with the square of a word's length."""


def wrap(text: str, width: int = _WIDTH) -> list[str]:
    """Lines of at most ``width`` columns; list items hang, indented lines keep their indent."""
    lines: list[str] = []
    for line in escape_text(text).splitlines():
        body = line.lstrip(" ")
        indent = " " * (len(line) - len(body))
        if len(indent) > width // 2:
            indent = indent[: width // 2]
        hanging = indent + ("  " if body.startswith(_BULLETS) else "")
        for start in range(0, len(body) or 1, _PIECE):
            first = hanging if start else indent
            piece = body[start : start + _PIECE]
            lines += textwrap.wrap(piece, width, initial_indent=first, subsequent_indent=hanging) or [""]
    return lines


def show_paged(text: str, *, stream: TextIO | None = None, keyboard: TextIO | None = None) -> None:
    """Print text a screen at a time; Enter shows more, q and Enter go to the question.

    It waits only if both ends are a terminal.
    """
    out = stream if stream is not None else sys.stderr
    keys = keyboard if keyboard is not None else sys.stdin
    size = shutil.get_terminal_size()
    lines = wrap(text, min(size.columns, _WIDTH))
    page = max(size.lines - 2, 5)
    waits = out.isatty() and keys.isatty()
    for start in range(0, len(lines), page):
        out.write("\n".join(lines[start : start + page]) + "\n")
        rest = len(lines) - start - page
        if waits and rest > 0:
            plural = "" if rest == 1 else "s"
            out.write(f"-- {rest} more line{plural}: Enter for more, q for the question -- ")
            out.flush()
            if keys.readline().strip().lower() == "q":
                return
    out.flush()
