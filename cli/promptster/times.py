"""Times and durations as text: every module that shows one takes it from here.

People read local time with whole words and without seconds. ``utc`` and ``utc_or_none`` are for programs, ``file_day``
is for names of files, ``utc_minute`` is for operators, whose computer is elsewhere, and ``duration`` and ``offset`` are
for a replay. A function takes milliseconds since the Unix epoch unless it says otherwise; ``zone`` is the reader's time
zone, by default that of the computer.
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
_NEAR_MS = 182 * _DAY_MS
_SIXTY = 60
"""Seconds of a minute, and minutes of an hour."""


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


def utc_or_none(ms: int) -> str | None:
    """Like ``utc``; ``None`` for a time outside the calendar."""
    try:
        return f"{datetime.fromtimestamp(ms // 1000, UTC).replace(tzinfo=None).isoformat()}Z"
    except (ValueError, OverflowError, OSError):
        return None


def utc_minute(ms: int) -> str:
    """``2026-11-30 09:12 UTC``."""
    return f"{datetime.fromtimestamp(ms / 1000, tz=UTC):%Y-%m-%d %H:%M} UTC"


def milliseconds(text: object) -> int | None:
    """The milliseconds of an RFC 3339 time, as the collector writes it; ``None`` for anything else."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
        return None if at.tzinfo is None else round(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def is_near(ms: int, now_ms: int) -> bool:
    """Whether a time is less than half a year away, so that a table shows its hour."""
    return abs(ms - now_ms) < _NEAR_MS


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


def length(minutes: int) -> str:
    """``90 min``, ``24 h``, ``7 days``: exact, in the largest unit that gives a whole number above one."""
    for unit, name in ((24 * 60, "days"), (60, "h")):
        if minutes % unit == 0 and minutes > unit:
            return f"{minutes // unit} {name}"
    return f"{minutes} min"


def counted_days(days: int) -> str:
    """A number of days with its noun: ``1 day``, ``30 days``."""
    return f"{days} day" if days == 1 else f"{days} days"


def duration(milliseconds: int) -> str:
    """A length of time in the unit that fits."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds} ms"
    if seconds < _SIXTY:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _SIXTY)
    if minutes < _SIXTY:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, _SIXTY)
    return f"{hours} h {minutes:02d} min"


def offset(ms: int) -> str:
    """A moment as minutes and seconds since the session began."""
    sign, seconds = ("-", -ms // 1000) if ms < 0 else ("", ms // 1000)
    minutes, rest = divmod(seconds, _SIXTY)
    hours, minutes = divmod(minutes, _SIXTY)
    return f"{sign}{hours}:{minutes:02d}:{rest:02d}" if hours else f"{sign}{minutes:02d}:{rest:02d}"
