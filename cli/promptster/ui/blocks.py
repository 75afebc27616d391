"""Blocks of styled text, of one line or many, that views pass to the pager."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from promptster.ui.wrapping import fits, fold

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Escaped text without its last newline, in parts; each part has a style such as ``bold red``."""

    parts: tuple[tuple[str, str], ...] = ()
    """The text and style of each part; a part may have several lines."""

    @property
    def plain(self) -> str:
        """The text without styles."""
        return "".join([text for text, _ in self.parts])

    @property
    def styled(self) -> str:
        """The text with terminal codes for its styles, which end with each line."""
        return "".join([_dressed(text, style) if style else text for text, style in self.parts])

    def folded(self, width: int, hanging: int | None = None) -> TextBlock:
        """A one-line block wrapped to ``width`` cells.

        Args:
            width: cells of a line.
            hanging: the indent of further lines; by default they line up with the text of the first.
        """
        text = self.plain
        if fits(text, width):
            return self
        return TextBlock(tuple(self._slices(text, fold(text, width, hanging))))

    def _slices(self, text: str, lines: list[str]) -> Iterator[tuple[str, str]]:
        """The parts, cut at the ends of lines."""
        place = 0
        for number, line in enumerate(lines):
            body = line.lstrip(" ") if number else line
            if number:
                yield "\n" + line[: len(line) - len(body)], ""
            begin = text.index(body, place)
            place = begin + len(body)
            yield from self._between(begin, place)

    def _between(self, begin: int, end: int) -> Iterator[tuple[str, str]]:
        at = 0
        for text, style in self.parts:
            piece = text[max(begin - at, 0) : max(end - at, 0)]
            if piece:
                yield piece, style
            at += len(text)


def _dressed(text: str, style: str) -> str:
    begin = f"\x1b[{';'.join(_CODES[word] for word in style.split())}m"
    return begin + text.replace("\n", f"\x1b[0m\n{begin}") + "\x1b[0m"


def shows_styles(stream: TextIO) -> bool:
    """Whether to print styles: not with ``NO_COLOR``, on a dumb terminal or outside a terminal."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
