"""Moments as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from promptster import times

_BERLIN = timezone(timedelta(hours=1))
_NOW = int(datetime(2026, 11, 30, 7, 7, tzinfo=UTC).timestamp() * 1000)
_MINUTE = 60_000
_DAY = 24 * 60 * _MINUTE


def test_a_deadline_is_local_and_says_what_is_left() -> None:
    """The day is shown only if it is not today; afterwards it says how long ago it was."""
    assert times.until(_NOW + 84 * _MINUTE, _NOW, zone=_BERLIN) == "until 09:31 (84 min left)"
    assert times.until(_NOW + 2 * _DAY, _NOW, zone=_BERLIN) == "until 2 December, 08:07 (48 h left)"
    assert times.until(_NOW - 5 * _MINUTE, _NOW, zone=_BERLIN) == "until 08:02 (5 min ago)"


def test_a_moment_of_another_year_says_its_year() -> None:
    """The reader need not guess which January is meant."""
    assert times.soon(_NOW + 40 * _DAY, _NOW, zone=_BERLIN) == "9 January 2027, 08:07"


def test_a_time_in_a_sentence_has_its_preposition() -> None:
    """A time of today is ``at``, one of another day is ``on``."""
    assert times.at_or_on(_NOW - 60_000, _NOW, zone=_BERLIN) == "at 08:06"
    assert times.at_or_on(_NOW + 2 * _DAY, _NOW, zone=_BERLIN) == "on 2 December, 08:07"


def test_a_record_and_a_table_have_their_own_forms() -> None:
    """A record has the year; a column is narrow and of one width."""
    assert times.moment(_NOW, zone=_BERLIN) == "30 November 2026, 08:07"
    assert times.day(_NOW, zone=_BERLIN) == "30 November 2026"
    assert times.short(_NOW, zone=_BERLIN) == "30 Nov 08:07"
    assert times.short_day(_NOW + 365 * _DAY, zone=_BERLIN) == "30 Nov 2027"
    assert times.short_day(10**15) == ""
    assert times.short(_NOW + 2 * _DAY, zone=_BERLIN) == " 2 Dec 08:07"


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (-1, "less than 1 min"),
        (59_999, "less than 1 min"),
        (60_000, "1 min"),
        (179 * _MINUTE, "179 min"),
        (180 * _MINUTE, "3 h"),
        (95 * 60 * _MINUTE, "95 h"),
        (4 * _DAY, "4 days"),
    ],
)
def test_a_span_has_one_unit(ms: int, words: str) -> None:
    """It is rounded down, so that no one is promised more than is left."""
    assert times.span(ms) == words


def test_a_moment_that_no_calendar_holds_is_told_as_a_number() -> None:
    """A forged time is shown, without a crash."""
    for tell in (times.day, times.moment, times.short):
        assert tell(10**20) == f"{10**20} ms after 1970"
    assert times.soon(10**20, _NOW) == f"{10**20} ms after 1970"


def test_a_time_for_programs_and_operators_is_in_utc() -> None:
    """It is the same on every computer; outside the calendar there is none."""
    assert times.utc_or_none(_NOW + 999) == times.utc(_NOW) == "2026-11-30T07:07:00Z"
    assert times.utc_or_none(10**18) is None
    assert times.utc_minute(_NOW) == "2026-11-30 07:07 UTC"
    assert times.milliseconds("2026-11-30T07:07:00Z") == _NOW
    assert times.milliseconds("2026-13-30T07:07:00Z") is times.milliseconds("2026-11-30T07:07:00") is None


def test_half_a_year_is_no_longer_near() -> None:
    """A table shows the hour of what is near, before and after."""
    near, far = 182 * _DAY - 1, 182 * _DAY
    assert [times.is_near(_NOW + away, _NOW) for away in (near, -near, far, -far)] == [True, True, False, False]


def test_only_one_module_writes_times() -> None:
    """A second formatter would show one moment in two ways."""
    programs = [Path(__file__).parents[1] / name for name in ("cli", "collector", "hooks")]
    writes = re.compile(r"\b(?:strftime|isoformat|fromtimestamp|fromisoformat)\(")
    found = [path for folder in programs for path in folder.rglob("*.py") if writes.search(path.read_text())]
    assert [path.name for path in found] == ["times.py"]
