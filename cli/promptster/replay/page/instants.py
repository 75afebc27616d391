"""Moments on a page that is read on another computer than the one that made it.

The page has every moment in UTC, and says so; the page's script shows it again in the reader's own time. Without the
script it is still right, and the same session makes the same page wherever it is made.
"""

from __future__ import annotations

from datetime import UTC

from promptster.replay.page.markup import Html, element, escaped
from promptster.times import moment, utc_or_none


def instant(ms: int, *, zoned: bool = False) -> Html:
    """One moment, to the minute.

    Args:
        ms: milliseconds since the Unix epoch.
        zoned: whether the reader's zone follows it in words; it is in the tooltip of every moment.
    """
    machine = utc_or_none(ms)
    if machine is None:
        return escaped(moment(ms))
    return element("time", f"{moment(ms, zone=UTC)} UTC", datetime=machine, data_zoned=zoned)
