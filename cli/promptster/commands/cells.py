"""The current time, and short forms of the collector's times for tables; ``--json`` has the full values."""

from __future__ import annotations

import time

from promptster import times


def now() -> int:
    """The wall clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def asked() -> int:
    """The time of a call whose answer has a deadline: in whole seconds, like the deadline."""
    return now() // 1000 * 1000


def when(text: object, now_ms: int, *, missing: str = "") -> str:
    """``30 Nov 08:01``, or ``30 Nov 2027`` if it is half a year away or more."""
    at_ms = times.milliseconds(text)
    if at_ms is None:
        return missing
    if times.is_near(at_ms, now_ms):
        return times.short(at_ms)
    return times.short_day(at_ms) or missing
