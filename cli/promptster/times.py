"""Times and durations as people read them: in local time, with whole words, without seconds.

``utc`` is for programs and ``file_day`` for names of files. Every function takes milliseconds since the Unix epoch;
``zone`` is the reader's time zone, by default that of the computer.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
_MINUTES_UP_TO_MS = 3 * _HOUR_MS
"""Durations below this are shown in minutes."""
_HOURS_UP_TO_MS = 4 * _DAY_MS
"""Durations below this are shown in hours, longer ones in days."""


def _local(ms: int, zone: tzinfo | None) -> datetime | None:
    """Return the time in the reader's zone; ``None`` if it is outside the calendar."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return None


def _unknown(ms: int) -> str:
    return f"{ms} ms after 1970"


def utc(ms: int) -> str:
    """``2026-11-30T09:12:00Z``: RFC 3339 in UTC, to the second, for programs."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def file_day(ms: int, *, zone: tzinfo | None = None) -> str:
    """``2026-11-30``, for the name of a file; empty for a time outside the calendar."""
    at = _local(ms, zone)
    return "" if at is None else f"{at:%Y-%m-%d}"


def day(ms: int, *, zone: tzinfo | None = None) -> str:
    """``30 November 2026``."""
    at = _local(ms, zone)
    return _unknown(ms) if at is None else f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def moment(ms: int, *, zone: tzinfo | None = None) -> str:
    """``30 November 2026, 09:12``, for records that may be read years later."""
    at = _local(ms, zone)
    return _unknown(ms) if at is None else f"{day(ms, zone=zone)}, {at:%H:%M}"


def soon(ms: int, now_ms: int, *, zone: tzinfo | None = None) -> str:
    """``09:31`` on the day of ``now_ms``, else ``2 December, 10:00``, with the year if it differs."""
    at, now = _local(ms, zone), _local(now_ms, zone)
    if at is None or now is None:
        return _unknown(ms)
    if at.date() == now.date():
        return f"{at:%H:%M}"
    if at.year != now.year:
        return moment(ms, zone=zone)
    return f"{at.day} {_MONTHS[at.month - 1]}, {at:%H:%M}"


def at_or_on(ms: int, now_ms: int, *, zone: tzinfo | None = None) -> str:
    """``at 09:31`` on the day of ``now_ms``, else ``on 2 December, 10:00``; for a sentence."""
    same = day(ms, zone=zone) == day(now_ms, zone=zone)
    return f"{'at' if same else 'on'} {soon(ms, now_ms, zone=zone)}"


def date(ms: int, now_ms: int, *, zone: tzinfo | None = None) -> str:
    """``30 December``, with the year if it differs from that of ``now_ms``."""
    at, now = _local(ms, zone), _local(now_ms, zone)
    if at is None or now is None or at.year != now.year:
        return day(ms, zone=zone)
    return f"{at.day} {_MONTHS[at.month - 1]}"


def short(ms: int, *, zone: tzinfo | None = None) -> str:
    """``30 Nov 08:01``, for a column of a table."""
    at = _local(ms, zone)
    return _unknown(ms) if at is None else f"{at.day:>2} {_MONTHS[at.month - 1][:3]} {at:%H:%M}"


def short_day(ms: int, *, zone: tzinfo | None = None) -> str:
    """``30 Nov 2027``, for a column of a table; empty for a time outside the calendar."""
    at = _local(ms, zone)
    return "" if at is None else f"{at.day:>2} {_MONTHS[at.month - 1][:3]} {at.year}"


def span(ms: int) -> str:
    """A duration in one unit: ``84 min``, ``72 h``, ``5 days``; below a minute ``less than 1 min``."""
    ms = max(ms, 0)
    if ms < _MINUTE_MS:
        return "less than 1 min"
    if ms < _MINUTES_UP_TO_MS:
        return f"{ms // _MINUTE_MS} min"
    return f"{ms // _HOUR_MS} h" if ms < _HOURS_UP_TO_MS else f"{ms // _DAY_MS} days"


def until(ms: int, now_ms: int, *, zone: tzinfo | None = None) -> str:
    """``until 09:31 (84 min left)``, or ``until 09:31 (5 min ago)`` once it has passed."""
    left = ms - now_ms
    rest = f"{span(left)} left" if left > 0 else f"{span(-left)} ago"
    return f"until {soon(ms, now_ms, zone=zone)} ({rest})"
