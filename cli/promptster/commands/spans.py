"""Durations as people write them: ``90m``, ``2h``, ``1h30m``, ``30d``."""

from __future__ import annotations

import re

from promptster.errors import UsageError

_SPAN = re.compile(r"(?:(?P<d>\d{1,5})d)?(?:(?P<h>\d{1,5})h)?(?:(?P<m>\d{1,6})m(?:in)?)?", re.ASCII)
_MINUTES_A_DAY = 24 * 60
_DAYS = "Use 30d, for example."


def minutes(text: str) -> int:
    """A duration in minutes.

    Raises:
        UsageError: it is not a duration, or is zero.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    total = 0
    if match:
        found = {unit: int(value) for unit, value in match.groupdict(default="0").items()}
        total = found["d"] * _MINUTES_A_DAY + found["h"] * 60 + found["m"]
    if not total:
        raise UsageError(f"not a duration: {text}", hint="Use 90m, 2h or 30d, for example.")
    return total


def days(text: str) -> int:
    """A duration in days.

    Raises:
        UsageError: it is not a duration of whole days.
    """
    try:
        total, rest = divmod(minutes(text), _MINUTES_A_DAY)
    except UsageError as error:
        raise UsageError(error.message, hint=_DAYS) from None
    if rest:
        raise UsageError(f"not whole days: {text}", hint=_DAYS)
    return total
