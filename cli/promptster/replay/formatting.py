"""Numbers and lengths of time in words."""

from __future__ import annotations

_SECONDS = 60
_LINE = 240
"""Characters of captured text that a line shows."""


def one_line(text: str, limit: int = _LINE) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit and len(text) <= limit * 4 else line[: limit - 1] + "…"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(milliseconds: int) -> str:
    """A length of time in the unit that fits."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds} ms"
    if seconds < _SECONDS:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _SECONDS)
    if minutes < _SECONDS:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, _SECONDS)
    return f"{hours} h {minutes:02d} min"


def offset(ms: int) -> str:
    """A moment as minutes and seconds since the session began."""
    sign, seconds = ("-", -ms // 1000) if ms < 0 else ("", ms // 1000)
    minutes, rest = divmod(seconds, _SECONDS)
    hours, minutes = divmod(minutes, _SECONDS)
    return f"{sign}{hours}:{minutes:02d}:{rest:02d}" if hours else f"{sign}{minutes:02d}:{rest:02d}"
