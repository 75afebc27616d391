"""Plain tables as wide as the terminal: columns under a heading, every cell escaped, words and ids unbroken.

Cells of a row that is too wide are wrapped. If that is not enough, each row becomes a list of its cells. In a pipe each
row is one line of any length, for ``grep`` and ``cut``.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from promptster.clock import SystemClock
from promptster.times import day, is_near, milliseconds, short
from promptster.ui.escape import escape_line
from promptster.ui.wrapping import cells, columns, fold, shortened, widest_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP = "  "
_WORD = 16
"""Longer words, such as addresses, may be shortened to fit; the ids in the first column never are."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def table(heading: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> Iterator[str]:
    """The lines of the table; only ``empty`` if there are no rows."""
    if not rows:
        yield empty
        return
    lines = [list(heading), *([_cell(value) for value in row] for row in rows)]
    widest = [max(cells(line[column]) for line in lines) for column in range(len(heading))]
    width = columns() if sys.stdout.isatty() or os.environ.get("COLUMNS") else None
    widths = widest if width is None else _narrowed(lines, widest, width)
    if widths is None:
        yield from _lists(lines, columns())
        return
    for line in lines:
        yield from _row(line, widths)


def _narrowed(lines: Sequence[Sequence[str]], widest: Sequence[int], width: int) -> list[int] | None:
    """Widths that fit, narrowing the widest columns first; ``None`` if words would have to be broken."""
    least = [
        min(max(widest_word(line[column]) for line in lines), _WORD if column else most)
        for column, most in enumerate(widest)
    ]
    widths = list(widest)
    room = width - len(_GAP) * (len(widths) - 1)
    while sum(widths) > room:
        shrinkable = [column for column in range(len(widths)) if widths[column] > least[column]]
        if not shrinkable:
            return None
        widths[max(shrinkable, key=widths.__getitem__)] -= 1
    return widths


def _row(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """The lines of a row, with the text of each cell wrapped to its column."""
    parts = [fold(text, width, 0) for text, width in zip(line, widths, strict=True)]
    for number in range(max(map(len, parts))):
        shown = [
            shortened(part[number], width) if number < len(part) else ""
            for part, width in zip(parts, widths, strict=True)
        ]
        padded = [text + " " * (width - cells(text)) for text, width in zip(shown, widths, strict=True)]
        yield _GAP.join(padded).rstrip()


def _lists(lines: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Each row as a list: the first cell, then the others with their headings."""
    heading, *rows = lines
    label = max(map(cells, heading))
    for first, *rest in rows:
        yield first
        for name, text in zip(heading[1:], rest, strict=True):
            if text:
                yield from fold(f"  {name:<{label}}  {text}", width, label + 4)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    ms = milliseconds(text) if _MOMENT.fullmatch(text) else None
    if ms is None:
        return escape_line(text)
    return short(ms) if is_near(ms, SystemClock().wall_ms()) else day(ms)
