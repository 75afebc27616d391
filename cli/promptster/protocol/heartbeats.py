"""The recorder's heartbeat: how often it is due, and which ones are missing, so that silence shows.

A recorder that is stopped, starved or replaced records nothing and cannot say so while that lasts. So it reports once
a minute that it is running; without that, nobody knows what happened. All of this is derived from public bytes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from promptster.protocol.events import OpenedEvent, Source
from promptster.protocol.events.kinds import Kind
from promptster.protocol.events.sources import is_own
from promptster.protocol.verdict import Gap, GapKind

HEARTBEAT_MS: Final = 60_000
"""How often a recorder reports that it is running, by its monotonic clock."""
LATE_MS: Final = 2 * HEARTBEAT_MS
"""After a sign of life by more than this, a heartbeat is late by more than its period."""

_BEGINNINGS: Final = frozenset({Kind.OPENED, Kind.RESUMED, Kind.CAPTURE_RECOVERED})
"""From here on heartbeats are due. How long a pause or an outage took is reported in these events themselves."""
_ENDINGS: Final = frozenset({Kind.PAUSED, Kind.SUBMISSION_FINAL, Kind.CLOSED})
"""From here on none is, until the session is resumed."""


def silences(events: Sequence[OpenedEvent]) -> Iterator[Gap]:
    """Where a heartbeat was late by more than its period.

    Args:
        events: a session's opened events, ascending by ``seq``; if one is missing, nothing is said about it.
    """
    jumps = jumps_follow(events)
    sign: OpenedEvent | None = None
    jumped = resting = False
    for place, event in enumerate(events):
        if place and events[place - 1].seq + 1 != event.seq:
            sign = None
        if not is_own(event.kind, event.src):
            continue
        jumped = jumped or event.kind == Kind.CAPTURE_CLOCK_JUMP
        beats, ends = event.kind == Kind.CAPTURE_HEARTBEAT, event.kind in _ENDINGS
        if sign is not None and (beats or ends):
            was_set = jumped or (ends and jumps[place])
            if event.mono_ms - sign.mono_ms > LATE_MS or (event.ms - sign.ms > LATE_MS and not was_set):
                yield _silence(sign, event)
        resting = ends or (resting and event.kind != Kind.RESUMED)
        if beats or ends or event.kind in _BEGINNINGS:
            sign, jumped = None if resting else event, False


def jumps_follow(events: Sequence[OpenedEvent]) -> list[bool]:
    """For each event, whether a jump of the clock follows it before the next heartbeat.

    A clock that is set is reported within a second, and before the next heartbeat; what was stamped in between shows it
    already.
    """
    follows = [False] * len(events)
    told = False
    for place in reversed(range(len(events))):
        event = events[place]
        if place + 1 < len(events) and events[place + 1].seq != event.seq + 1:
            told = False
        follows[place] = told
        if is_own(event.kind, event.src):
            told = event.kind == Kind.CAPTURE_CLOCK_JUMP or (told and event.kind != Kind.CAPTURE_HEARTBEAT)
    return follows


def _silence(since: OpenedEvent, until: OpenedEvent) -> Gap:
    return Gap(
        kind=GapKind.SILENCE,
        seq=since.seq,
        from_ms=since.ms,
        to_ms=max(since.ms, until.ms),
        text="the recorder was silent: no heartbeat came, although one is due every minute",
        source=Source.RECORDER,
        to_seq=until.seq,
    )
