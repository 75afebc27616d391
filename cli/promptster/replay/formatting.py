"""Numbers with their nouns, and captured text on one line; times are in ``promptster.times``."""

from __future__ import annotations

_LINE = 240
"""Characters of captured text that a line shows."""


def excerpt(text: str, limit: int = _LINE) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit and len(text) <= limit * 4 else line[: limit - 1] + "…"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
