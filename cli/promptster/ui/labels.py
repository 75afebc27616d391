"""Rows of a label and what it names, as status, the consent screen and the summary of a submission show them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH = 80


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
        lines += sentence_lines(text, first=f"{indent}{label:<{wide}}", later=indent + " " * wide)
    return lines


def sentence_lines(text: str, *, first: str = "", later: str = "") -> list[str]:
    """One text in lines of at most 80 columns; a word that is longer than that, such as a path, stays whole.

    Args:
        text: words without line breaks.
        first: what the first line begins with.
        later: what every other line begins with.
    """
    wrapped = textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )
    return wrapped or [first.rstrip()]
