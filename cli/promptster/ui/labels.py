"""Rows of a label and what it names, as status, the consent screen and the summary of a submission show them."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH = 80
_COMMAND = re.compile(r"`[^`]{1,60}`")
_WHOLE = frozenset({"Next"})
"""Labels of commands."""
_GLUE = "\0"
"""Stands for a space at which no line ends."""


def labelled(rows: Sequence[tuple[str, str]], *, indent: str = "", column: int = 0) -> list[str]:
    """Lines with all texts in one column; what does not fit a line goes on below, and words are never broken.

    Args:
        rows: label and text; an empty label continues the row above.
        indent: what every line begins with.
        column: at least this wide is the column of labels.
    """
    wide = max([column, *(len(label) + 2 for label, _ in rows)])
    lines: list[str] = []
    for label, text in rows:
        if (label in _WHOLE or " " not in text) and len(indent) + wide + len(text) > _WIDTH:
            lines += [f"{indent}{label}", text]  # a long path or command stands alone, to be copied whole
            continue
        lines += sentence_lines(text, first=f"{indent}{label:<{wide}}", later=indent + " " * wide)
    return lines


def named(label: str, path: str) -> list[str]:
    """``Certificate: ~/x.json`` on one line if that fits, else the path on a line of its own."""
    line = f"{label} {path}"
    return [line] if len(line) <= _WIDTH else [label, path]


def sentence_lines(text: str, *, first: str = "", later: str = "") -> list[str]:
    """One text in lines of at most 80 columns; a longer word, such as a path, and a command in backticks stay whole.

    Args:
        text: words without line breaks.
        first: what the first line begins with.
        later: what every other line begins with.
    """
    kept = _COMMAND.sub(lambda found: found.group().replace(" ", _GLUE), text)
    wrapped = textwrap.wrap(
        kept, _WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_GLUE, " ") for line in wrapped] or [first.rstrip()]
