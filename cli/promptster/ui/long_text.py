"""Long text in a terminal: wrapped, one screen at a time."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO

from promptster.ui.wrapping import columns, wrap

__all__ = ["show_paged", "wrap"]


def show_paged(text: str, *, stream: TextIO | None = None, keyboard: TextIO | None = None) -> None:
    """Print text one screen at a time; Enter shows more, q and Enter go to the question.

    It waits only if input and output are a terminal.
    """
    out = stream if stream is not None else sys.stderr
    keys = keyboard if keyboard is not None else sys.stdin
    lines = wrap(text, columns(out))
    page = max(shutil.get_terminal_size().lines - 2, 5)
    waits = out.isatty() and keys.isatty()
    for start in range(0, len(lines), page):
        out.write("\n".join(lines[start : start + page]) + "\n")
        rest = len(lines) - start - page
        if waits and rest > 0:
            plural = "" if rest == 1 else "s"
            prompt = f"-- {rest} more line{plural}: Enter for more, q for the question -- "
            out.write("\n".join(wrap(prompt, columns(out))))
            out.flush()
            if keys.readline().strip().lower() == "q":
                return
    out.flush()
