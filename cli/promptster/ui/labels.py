"""Rows of labels and texts, as in status, on the consent screen and in the summary before submitting."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptster.ui.wrapping import cells, columns, fold

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND = re.compile(r"`[^`]{1,60}`")
_WHOLE = frozenset({"Next"})
"""Labels whose text is a command."""
_GLUE = "\0"
"""Stands for a space that does not end a line."""


def labelled(rows: Sequence[tuple[str, str]], *, indent: str = "", column: int = 0) -> list[str]:
    """Lines with all texts in one column; long texts are wrapped, and words are never broken.

    Args:
        rows: label and text; an empty label continues the row above.
        indent: what every line begins with.
        column: the least width of the labels.
    """
    wide, width = max([column, *(len(label) + 2 for label, _ in rows)]), columns()
    lines: list[str] = []
    for label, text in rows:
        if (label in _WHOLE or " " not in text) and len(indent) + wide + cells(text) > width:
            lines += [f"{indent}{label}", text]  # a long path or command has its own line, to be copied whole
            continue
        lines += sentence_lines(text, first=f"{indent}{label:<{wide}}", later=indent + " " * wide)
    return lines


def named(label: str, path: str) -> list[str]:
    """``Certificate: ~/x.json`` on one line if it fits, otherwise with the path on the next."""
    line = f"{label} {path}"
    return [line] if cells(line) <= columns() else [label, path]


def sentence_lines(text: str, *, first: str = "", later: str = "") -> list[str]:
    """Text wrapped to the terminal; longer words, such as paths, and commands in backticks are not broken.

    Args:
        text: words without line breaks.
        first: what the first line begins with.
        later: what every other line begins with.
    """
    kept = _COMMAND.sub(lambda found: found.group().replace(" ", _GLUE), text)
    return [line.replace(_GLUE, " ") for line in fold(first + kept, columns(), len(later))]
