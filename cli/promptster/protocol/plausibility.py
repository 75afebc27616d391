"""Verification, notes alongside the verdict: what a session that ended lacks, and times that cannot all be true.

None of it changes the verdict. A clock that was wrong is no forgery, and neither is a session without an agent's word;
but whoever reads "verified" has to hear of both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from promptster.protocol.events import OpenedEvent
from promptster.protocol.events.kinds import CaptureHeartbeat, Kind
from promptster.protocol.events.sources import Source, ends_session, is_own
from promptster.protocol.evidence import Evidence
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.heartbeats import jumps_follow
from promptster.protocol.receipt import CloseOutcome
from promptster.protocol.verdict import BatchFacts, Report, in_words, lasting, spans

SLACK_MS: Final = 5 * 60 * 1000
"""How far a clock may be from the collector's before that is noted."""
BACKWARDS_MS: Final = 5_000
"""How far an event's time may lie before an earlier one's; the recorder reports jumps of its clock from 2 s on."""

_MISSING: Final[Mapping[Kind, tuple[FindingCode, str]]] = {
    Kind.CONSENT: (FindingCode.CONSENT_MISSING, "no event says that the candidate agreed to be recorded"),
    Kind.OPENED: (FindingCode.OPENED_MISSING, "no event says that the recorder started"),
    Kind.SUBMISSION_BASELINE: (FindingCode.BASELINE_MISSING, "no event records the workspace at the start"),
    Kind.SUBMISSION_FINAL: (
        FindingCode.FINAL_MISSING,
        "the session was submitted, but no event contains the submission",
    ),
}
ABSENCES: Final = frozenset(code for code, _ in _MISSING.values())
"""Notes about events that every session has."""
TIMES: Final = frozenset({FindingCode.AHEAD, FindingCode.BACKWARDS, FindingCode.PACE})
"""Notes about times that cannot all be true."""
_ANEW: Final = frozenset({Kind.OPENED, Kind.PAUSED, Kind.RESUMED, Kind.CAPTURE_RECOVERED, Kind.CAPTURE_CLOCK_JUMP})
"""From here on the computer's clock may have been set: reported here, or while no recorder ran."""


@dataclass(frozen=True)
class _Bound:
    """How far the clock was ahead of the collector's, at least or at most, by one heartbeat."""

    ahead_ms: int
    seq: int


class _Receipts:
    """When the proven events were received."""

    def __init__(self, batches: Sequence[BatchFacts]) -> None:
        kept = [batch for batch in batches if batch.proven]
        self._batches = sorted(kept, key=lambda batch: batch.first)

    def received_ms(self, seq: int) -> int | None:
        """By the receipt of the batch that proves the event; ``None`` without one."""
        place = bisect_right(self._batches, seq, key=lambda batch: batch.first)
        if not place or seq >= self._batches[place - 1].first + self._batches[place - 1].count:
            return None
        return self._batches[place - 1].received_ms


def read_presence(report: Report, evidence: Evidence, events: Sequence[OpenedEvent]) -> None:
    """Say what a session lacks that has ended and is whole; of any other, what is not here may be elsewhere.

    Args:
        report: takes the notes.
        evidence: holds the collector's word on the end.
        events: the proven events, ascending.
    """
    close = evidence.close
    last = events[-1] if events else None
    if last is not None and last.seq != len(events) - 1:
        return
    closed = last is not None and ends_session(last.kind, last.src)
    if not closed and (close is None or close.events != len(events)):
        return
    submitted = closed or (close is not None and close.outcome == CloseOutcome.SUBMITTED)
    here = {event.kind for event in events if is_own(event.kind, event.src)}
    due = _MISSING if submitted else (Kind.CONSENT, Kind.OPENED)
    for kind in due:
        if kind not in here:
            report.note(*_MISSING[kind])


def read_times(report: Report, batches: Sequence[BatchFacts], events: Sequence[OpenedEvent]) -> None:
    """Hold the events' times against the receipts, and against each other.

    Args:
        report: takes the notes.
        batches: the chain, with the time of each receipt.
        events: the proven events, ascending.
    """
    receipts = _Receipts(batches)
    ahead = {seq: by for seq, by in _ahead(receipts, events) if by > SLACK_MS}
    if ahead:
        most = lasting(max(ahead.values()))
        report.note(
            FindingCode.AHEAD, f"{_by_clock(list(ahead))} happened up to {most} after the collector had received them"
        )
    if backwards := list(_backwards(events)):
        text = f"{_by_clock(backwards)} happened before earlier ones, and nothing says that the clock was set"
        report.note(FindingCode.BACKWARDS, text)
    for low, high in _paces(receipts, events):
        first, last = sorted((low.seq, high.seq))
        way = "faster" if low.seq >= high.seq else "slower"
        by = lasting(low.ahead_ms - high.ahead_ms)
        text = f"between events {first} and {last} the computer's clock ran {by} {way} than the receipts allow"
        report.note(FindingCode.PACE, text)


def _by_clock(numbers: list[int]) -> str:
    return f"by the computer's clock, {'event' if len(numbers) == 1 else 'events'} {in_words(spans(numbers))}"


def _ahead(receipts: _Receipts, events: Sequence[OpenedEvent]) -> Iterator[tuple[int, int]]:
    """How long after its receipt each received event says that it happened."""
    for event in events:
        received = receipts.received_ms(event.seq)
        if received is not None:
            yield event.seq, event.ms - received


def _backwards(events: Sequence[OpenedEvent]) -> Iterator[int]:
    """Events with a time well before that of an earlier one, where no jump of the clock explains it.

    Calls of hooks may have waited while no recorder listened: they bear the time at which they were made.
    """
    jumps = jumps_follow(events)
    highest, following = 0, 0
    for place, event in enumerate(events):
        if event.seq != following:
            highest = 0
        following = event.seq + 1
        if event.src == Source.HOOK:
            continue
        if event.kind == Kind.CAPTURE_CLOCK_JUMP and is_own(event.kind, event.src):
            highest = event.ms
        elif highest - event.ms > BACKWARDS_MS and not jumps[place]:
            yield event.seq
        highest = max(highest, event.ms)


def _paces(receipts: _Receipts, events: Sequence[OpenedEvent]) -> Iterator[tuple[_Bound, _Bound]]:
    """Pairs of heartbeats between which the clock ran impossibly fast or slow, in each stretch without a clock change.

    A heartbeat was received after it beat: the clock was ahead of the collector's at least by its time less its
    receipt's. It names how many events were acknowledged, and so came after their receipt: its time less that one is
    the most by which the clock was ahead.
    """
    low: _Bound | None = None
    high: _Bound | None = None
    resting, following = False, 0
    for event in events:
        own = is_own(event.kind, event.src)
        if event.seq != following or (own and event.kind in _ANEW):
            yield from _contradiction(low, high)
            low = high = None
        following = event.seq + 1
        if own:
            resting = event.kind == Kind.PAUSED or (resting and event.kind != Kind.RESUMED)
            if event.kind == Kind.CAPTURE_HEARTBEAT and not resting:
                low = _wider(low, event, receipts.received_ms(event.seq), sign=1)
                high = _wider(high, event, _acknowledged_ms(receipts, event), sign=-1)
    yield from _contradiction(low, high)


def _wider(bound: _Bound | None, event: OpenedEvent, received: int | None, *, sign: int) -> _Bound | None:
    """The stricter of two bounds: the higher one for ``sign`` 1, the lower one for -1."""
    if received is None:
        return bound
    ahead = event.ms - received
    return bound if bound is not None and sign * ahead <= sign * bound.ahead_ms else _Bound(ahead, event.seq)


def _acknowledged_ms(receipts: _Receipts, event: OpenedEvent) -> int | None:
    """When the last event was received that a heartbeat knows to have been."""
    counts: Any = event.event.counts if isinstance(event.event, CaptureHeartbeat) else None
    received: Any = cast("dict[str, Any]", counts).get("received") if isinstance(counts, dict) else None
    return receipts.received_ms(received - 1) if type(received) is int and received > 0 else None


def _contradiction(low: _Bound | None, high: _Bound | None) -> Iterator[tuple[_Bound, _Bound]]:
    if low is not None and high is not None and low.ahead_ms - high.ahead_ms > SLACK_MS:
        yield low, high
