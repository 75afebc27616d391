"""Lines for a terminal: as wide as it really is, words whole, counted in the cells that characters take there.

A word that is wider than the line stays whole on a line of its own, so that links, commands and paths can be copied.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from typing import Final, TextIO

from promptster.ui.escape import escape_text

USUAL_WIDTH: Final = 80
"""Where nobody says how wide it is."""
_LEAST_WIDTH = 20
_MOST_HANGING = 28
"""Cells of the widest label that text stands beside: that of a command, as where the next steps are shown."""
_MOST_COMBINED = 8
"""Characters in one cell; a letter with more marks than that is taken for a longer word."""
_LONGEST_WORD = 1000
"""A longer word is no link that anybody copies: it is cut at the line's end."""

_HANGING = re.compile(r" *(?:[-*•] +|\d{1,3}[.)] +|[^ ]+(?: [^ ]+)* {2,}(?=[^ ]))?")
"""What the further lines of a line stand below: the text behind a bullet, a number, or a label and its gap."""
_HANGING_BEGINS = frozenset(" -*•0123456789")
_NARROW = re.compile(
    "[ -~\xa0-\xac\xae-\u02ff\u0370-\u0377\u037a-\u037f\u0384-\u038a\u0391-\u03a1\u03a3-\u0482"
    "\u2010-\u2027\u2030-\u203b\u203d-\u2048\u2190-\u2193\u2500-\u254b\u2550-\u2573]*"
)
"""Text of which every character takes one cell."""
_IDEOGRAPHS = "\u2e80-\u3029\u302e-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60\U00020000-\U000323af"
_STOPS = "、。，．！：；？）」』】"  # noqa: RUF001 - these are the wide ones
_WIDE = re.compile(f"[{_IDEOGRAPHS}]*")
_TOKEN = re.compile(f" +|[{_IDEOGRAPHS}][{_STOPS}]*|[^ {_IDEOGRAPHS}]+")
"""Gaps, ideographs with the stops behind them, and words: a line may end between any two."""


def columns(stream: TextIO | None = None) -> int:
    """How many cells a line of the stream has, standard output's if none is given; ``COLUMNS`` goes first."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said) > 0:
        return max(int(said), _LEAST_WIDTH)
    try:
        found = os.get_terminal_size((stream or sys.stdout).fileno()).columns
    except (OSError, ValueError):  # it is no terminal, closed, or no file
        found = 0
    return max(found, _LEAST_WIDTH) if found else USUAL_WIDTH


def cells(text: str) -> int:
    """How many cells a text takes at most; joined emoji count one by one, as not every terminal joins them."""
    if text.isascii() or _NARROW.fullmatch(text):
        return len(text)
    return sum(map(_character_cells, text)) + text.count("\ufe0f")


@cache
def _character_cells(character: str) -> int:
    from rich.cells import get_character_cell_size  # noqa: PLC0415 - hardly any line needs its table

    return get_character_cell_size(character)


def widest_word(line: str) -> int:
    """How many cells the widest part takes that no line ends in."""
    return max(map(cells, _TOKEN.findall(line)), default=0)


def fits(line: str, width: int) -> bool:
    """Whether a line takes no more than this many cells."""
    if line.isascii() or 2 * len(line) <= width:
        return len(line) <= width
    return len(line) <= width * _MOST_COMBINED and cells(line) <= width


def shortened(line: str, width: int) -> str:
    """An escaped line of at most ``width`` cells, with an ellipsis where its end was."""
    if fits(line, width):
        return line
    kept, used = 0, 1
    for character in line:
        used += cells(character)
        if used > width:
            break
        kept += 1
    return line[:kept] + "…"


def wrap(text: str, width: int | None = None) -> list[str]:
    """Escaped lines of at most ``width`` cells, the terminal's own if not given; a list's items hang."""
    return fold(escape_text(text), columns() if width is None else width)


def fold(text: str, width: int, hanging: int | None = None) -> list[str]:
    """What ``wrap`` does, with text that was escaped before.

    Args:
        text: the text.
        width: cells of a line.
        hanging: cells in front of a line's further lines; those of its bullet, label or indent if not given.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        if len(line) <= width and (line.isascii() or fits(line, width)):
            lines.append(line)
        else:
            indent = _indent(line, width) if hanging is None else " " * min(hanging, width // 2)
            _fill(line, width, indent, lines)
    return lines


def _fill(line: str, width: int, indent: str, lines: list[str]) -> None:
    """Put words together until a line is full; the further lines begin with ``indent``."""
    narrow = line.isascii() or (len(line) <= _LONGEST_WORD and _NARROW.fullmatch(line) is not None)
    size, lead, room = len(line), "", width
    word = size - len(line.lstrip(" "))
    start = max(word - width // 2, 0)
    while size - start > room if narrow else size - start > room * _MOST_COMBINED or not fits(line[start:], room):
        space = line.rfind(" ", word, start + room + 1) if narrow else -1
        end = space if space >= 0 else _end(line, start, word, room)
        lines.append(lead + line[start:end].rstrip(" "))
        while line.startswith(" ", end):
            end += 1
        start = word = end
        lead, room = indent, width - len(indent)
    if start < size:
        lines.append(lead + line[start:])


def _indent(line: str, width: int) -> str:
    """What the further lines of a line begin with: as many spaces as its bullet, label or own indent takes."""
    head = line[: _MOST_HANGING + 2]
    if head[0] not in _HANGING_BEGINS and "  " not in head:
        return ""
    label = _HANGING.match(head)
    hanging = cells(label[0]) if label is not None else 0
    if hanging > min(_MOST_HANGING, width // 2):
        hanging = min(len(line) - len(line.lstrip(" ")), width // 2)
    return " " * hanging


def _end(line: str, start: int, word: int, room: int) -> int:
    """Where the line that begins at ``start`` ends: behind the last word that has room, or behind the only one."""
    window = line[start : start + room + 1]
    if not (window.isascii() or _NARROW.fullmatch(window)):
        return _end_among_wide(line, start, word, room)
    space = line.rfind(" ", word, start + room + 1)
    if space < 0:
        space = line.find(" ", word, word + _LONGEST_WORD)
    if space >= 0:
        return space
    return len(line) if len(line) - word <= _LONGEST_WORD else start + room


def _end_among_wide(line: str, start: int, word: int, room: int) -> int:
    most = word + (room - (word - start)) // 2
    if word < most and _WIDE.fullmatch(line, word, most + 1):  # a run of ideographs, each of two cells
        return most if line[most] not in _STOPS or most - 1 <= word else most - 1
    used, end = 0, start
    for token in _TOKEN.finditer(line, start, word + _LONGEST_WORD + 1):
        found = token[0]
        too_long = len(found) > _LONGEST_WORD
        used += room + 1 if too_long else cells(found)
        if used > room and end > word:
            return end
        if too_long:
            return token.start() + max(room // 2, 1)
        if found[0] != " ":
            end = token.end()
            if used > room:
                return end
    return end
