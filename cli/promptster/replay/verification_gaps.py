"""Gaps that no event reports: what verification found missing, absent or untimed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from promptster.protocol.plausibility import ABSENCES
from promptster.protocol.verdict import UNTIMED, GapKind
from promptster.replay.model import SessionGap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptster.protocol.events import OpenedEvent
    from promptster.protocol.verdict import Verification


def unreported_gaps(verification: Verification) -> list[SessionGap]:
    """Every gap of a verified session that its events do not report themselves."""
    return [*_missing(verification.opened), *_absent(verification), *_untimed(verification)]


def missing_spans(events: Sequence[OpenedEvent]) -> list[SessionGap]:
    """Numbers that are absent between the given events, and before the first one."""
    return list(_missing(sorted(events, key=lambda event: event.seq)))


def _missing(events: Sequence[OpenedEvent]) -> Iterator[SessionGap]:
    if events and events[0].seq:
        yield _missing_span(0, events[0].seq - 1, events[0].ms, events[0].ms)
    for before, after in pairwise(events):
        if after.seq > before.seq + 1:
            yield _missing_span(before.seq + 1, after.seq - 1, before.ms, after.ms)


def _missing_span(first: int, last: int, from_ms: int, to_ms: int) -> SessionGap:
    which = f"event {first} is" if first == last else f"events {first} to {last} are"
    return SessionGap(
        kind=GapKind.MISSING,
        text=f"{which} not in this record",
        from_ms=from_ms,
        to_ms=max(to_ms, from_ms),
        seq=first,
    )


def _absent(verification: Verification) -> Iterator[SessionGap]:
    """What every session has and this one lacks; its place is unknown, so it comes first."""
    for finding in verification.findings:
        if finding.code in ABSENCES:
            at = verification.opened[0].ms
            yield SessionGap(kind=GapKind.ABSENT, text=finding.text, from_ms=at, to_ms=at, seq=0)


def _untimed(verification: Verification) -> Iterator[SessionGap]:
    at = {event.seq: event.ms for event in verification.opened}
    for span in verification.untimed:
        which = f"event {span.first}" if span.first == span.last else f"events {span.first} to {span.last}"
        yield SessionGap(
            kind=GapKind.UNTIMED,
            text=f"{which} {UNTIMED}",
            from_ms=at[span.first],
            to_ms=max(at[span.last], at[span.first]),
            seq=span.first,
        )
