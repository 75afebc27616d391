"""Short local forms of times and durations for tables; ``--json`` has the full values."""

from __future__ import annotations

import time
from datetime import datetime

from promptster import times

_HALF_A_YEAR_MS = 182 * 24 * 3_600_000


def milliseconds(text: object) -> int | None:
    """The milliseconds of an RFC 3339 time, as the collector writes it; ``None`` for anything else."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
        return None if at.tzinfo is None else round(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def now() -> int:
    """The wall clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def asked() -> int:
    """The time of a call whose answer has a deadline: in whole seconds, like the deadline."""
    return now() // 1000 * 1000


def when(text: object, now_ms: int, *, missing: str = "") -> str:
    """``30 Nov 08:01``, or ``30 Nov 2027`` if it is half a year away or more."""
    at_ms = milliseconds(text)
    if at_ms is None:
        return missing
    if abs(at_ms - now_ms) < _HALF_A_YEAR_MS:
        return times.short(at_ms)
    return times.short_day(at_ms) or missing


def length(minutes: int) -> str:
    """``90 min``, ``24 h``, ``7 days``: exact, in the largest unit that gives a whole number above one."""
    for unit, name in ((24 * 60, "days"), (60, "h")):
        if minutes % unit == 0 and minutes > unit:
            return f"{minutes // unit} {name}"
    return f"{minutes} min"


def counted_days(days: int) -> str:
    """A number of days with its noun: ``1 day``, ``30 days``."""
    return f"{days} day" if days == 1 else f"{days} days"
