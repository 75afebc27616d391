"""Rows of a label and what it names, as status, the consent screen and the summary of a submission show them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptster.ui.wrapping import cells, columns, fold

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    wide, width = max([column, *(len(label) + 2 for label, _ in rows)]), columns()
    lines: list[str] = []
    for label, text in rows:
        if (label in _WHOLE or " " not in text) and len(indent) + wide + cells(text) > width:
            lines += [f"{indent}{label}", text]  # a long path or command stands alone, to be copied whole
            continue
        lines += sentence_lines(text, first=f"{indent}{label:<{wide}}", later=indent + " " * wide)
    return lines


def named(label: str, path: str) -> list[str]:
    """``Certificate: ~/x.json`` on one line if that fits, else the path on a line of its own."""
    line = f"{label} {path}"
    return [line] if cells(line) <= columns() else [label, path]


def sentence_lines(text: str, *, first: str = "", later: str = "") -> list[str]:
    """One text in lines as wide as the terminal; a longer word, such as a path, and a command in backticks stay whole.

    Args:
        text: words without line breaks.
        first: what the first line begins with.
        later: what every other line begins with.
    """
    kept = _COMMAND.sub(lambda found: found.group().replace(" ", _GLUE), text)
    return [line.replace(_GLUE, " ") for line in fold(first + kept, columns(), len(later))]
