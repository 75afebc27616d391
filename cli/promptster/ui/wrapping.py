"""Wrapping for the terminal: to its actual width, between words, measured in the cells that characters take.

A word that is wider than the line is not broken, so that links, commands and paths can be copied.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from typing import Final, TextIO

from promptster.ui.escape import escape_text

USUAL_WIDTH: Final = 80
"""The width if none is known."""
_LEAST_WIDTH = 20
_MOST_HANGING = 28
"""The widest label, in cells, with text next to it: a command in the list of next steps."""
_MOST_COMBINED = 8
"""The most characters in one cell; a letter with more marks counts as a longer word."""
_LONGEST_WORD = 1000
"""Longer words are cut at the end of the line, because nobody copies a link of that length."""

_HANGING = re.compile(r" *(?:[-*•] +|\d{1,3}[.)] +|[^ ]+(?: [^ ]+)* {2,}(?=[^ ]))?")
"""The part of a line that its further lines are indented by: a bullet, a number, or a label and its gap."""
_HANGING_BEGINS = frozenset(" -*•0123456789")
_NARROW = re.compile(
    "[ -~\xa0-\xac\xae-\u02ff\u0370-\u0377\u037a-\u037f\u0384-\u038a\u0391-\u03a1\u03a3-\u0482"
    "\u2010-\u2027\u2030-\u203b\u203d-\u2048\u2190-\u2193\u2500-\u254b\u2550-\u2573]*"
)
"""Text in which every character takes one cell."""
_IDEOGRAPHS = "\u2e80-\u3029\u302e-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60\U00020000-\U000323af"
_STOPS = "、。，．！：；？）」』】"  # noqa: RUF001 - these are the wide ones
_WIDE = re.compile(f"[{_IDEOGRAPHS}]*")
_TOKEN = re.compile(f" +|[{_IDEOGRAPHS}][{_STOPS}]*|[^ {_IDEOGRAPHS}]+")
"""Gaps, ideographs with the stops after them, and words: a line may end between any two."""


def columns(stream: TextIO | None = None) -> int:
    """The width of a line on the stream, by default standard output; ``COLUMNS`` has priority."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said) > 0:
        return max(int(said), _LEAST_WIDTH)
    try:
        found = os.get_terminal_size((stream or sys.stdout).fileno()).columns
    except (OSError, ValueError):  # it is no terminal, closed, or no file
        found = 0
    return max(found, _LEAST_WIDTH) if found else USUAL_WIDTH


def cells(text: str) -> int:
    """The most cells that a text takes; joined emoji count separately, because not every terminal joins them."""
    if text.isascii() or _NARROW.fullmatch(text):
        return len(text)
    return sum(map(_character_cells, text)) + text.count("\ufe0f")


@cache
def _character_cells(character: str) -> int:
    from rich.cells import get_character_cell_size  # noqa: PLC0415 - hardly any line needs its table

    return get_character_cell_size(character)


def widest_word(line: str) -> int:
    """The width in cells of the widest part that cannot be broken."""
    return max(map(cells, _TOKEN.findall(line)), default=0)


def fits(line: str, width: int) -> bool:
    """Whether a line fits into this many cells."""
    if line.isascii() or 2 * len(line) <= width:
        return len(line) <= width
    return len(line) <= width * _MOST_COMBINED and cells(line) <= width


def shortened(line: str, width: int) -> str:
    """An escaped line shortened to ``width`` cells, with an ellipsis at the end."""
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
    """Text escaped and wrapped to ``width`` cells, by default the terminal's; list items get a hanging indent."""
    return fold(escape_text(text), columns() if width is None else width)


def fold(text: str, width: int, hanging: int | None = None) -> list[str]:
    """Text that is already escaped, wrapped like ``wrap`` does.

    Args:
        text: the text.
        width: the width of a line in cells.
        hanging: the indent of further lines; by default that of the bullet, label or line.
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
    """Fill lines with words; further lines begin with ``indent``."""
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
    """The indent of further lines: the width of the bullet, the label or the line's own indent."""
    head = line[: _MOST_HANGING + 2]
    if head[0] not in _HANGING_BEGINS and "  " not in head:
        return ""
    label = _HANGING.match(head)
    hanging = cells(label[0]) if label is not None else 0
    if hanging > min(_MOST_HANGING, width // 2):
        hanging = min(len(line) - len(line.lstrip(" ")), width // 2)
    return " " * hanging


def _end(line: str, start: int, word: int, room: int) -> int:
    """Where the line that begins at ``start`` ends: after the last word that fits, or after its only word."""
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
