"""Plain tables: columns under a heading, every cell on one line and escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.ui.escape import escape_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WIDEST = 60


def table(heading: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> Iterator[str]:
    """The table's lines; ``empty`` alone where there are no rows."""
    if not rows:
        yield empty
        return
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [min(max(len(row[column]) for row in [list(heading), *cells]), _WIDEST) for column in range(len(heading))]
    for row in [list(heading), *cells]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    return escape_line("" if value is None else str(value))
