"""Gaps of capture, from what the recorder said, or failed to say: they are reported, and do not change the verdict.

This module alone decides what counts as one, and words it: verification, timeline, page and terminal all use these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from promptster.protocol.events import OpenedEvent, Source
from promptster.protocol.events.kinds import (
    CaptureBypassSuspected,
    CaptureClockJump,
    CaptureConfigChanged,
    CaptureDegraded,
    CaptureGap,
    CaptureHookSilent,
    CaptureRecovered,
    CaptureUpstreamOverridden,
    Closed,
    Paused,
    Resumed,
)
from promptster.protocol.events.sources import is_own
from promptster.protocol.heartbeats import silences
from promptster.protocol.verdict import Gap, GapKind, lasting

PAUSE_LEAD: Final = "recording was paused"
"""What the text of every pause begins with."""
STOP_WORDS: Final = "because the recorder stopped"
"""What the text of a pause that no one asked for ends with."""
_REASONS: Final[Mapping[str, str]] = {"candidate": "by the candidate", "recorder_stopped": STOP_WORDS}
"""Reasons that the recorder itself gives for a pause; any other text is kept as it is."""

_MOST = 200
"""Characters of a recorded text that a gap's words repeat."""
_LOST_UNITS: Final[Mapping[str, tuple[str, str]]] = {
    Source.PROXY: ("byte", "bytes"),
    Source.HOOK: ("hook call", "hook calls"),
}
"""What ``lost`` of a capture gap counts, by its source."""


def is_outage(kind: GapKind, text: str) -> bool:
    """Whether a gap of this kind with these words is a pause because the recorder ended: no one asked for it."""
    return kind is GapKind.PAUSED and text.endswith(STOP_WORDS)


def read_gaps(events: Sequence[OpenedEvent]) -> tuple[Gap, ...]:
    """Pauses, what capture said about itself, arrivals that the recorder lost, and heartbeats that did not come.

    Args:
        events: a session's opened events, ascending by ``seq``; some may be missing.
    """
    gaps: list[Gap] = [*silences(events)]
    paused: OpenedEvent | None = None
    arrivals: dict[str, int] = {}
    following, whole = 0, True
    for event in events:
        if event.seq != following:
            arrivals, whole = {}, False
        following = event.seq + 1
        own = is_own(event.kind, event.src)
        match event.event:
            case Paused() if own and paused is None:
                paused = event
            case Resumed() | Closed() if own and paused is not None:
                gaps.append(_pause(paused, event))
                paused = None
            case _:
                gaps += _of_capture(event)
        expected = arrivals.get(event.src, 0 if whole else event.src_seq)
        if event.src_seq != expected:
            gaps.append(_lost(event, expected))
        arrivals[event.src] = event.src_seq + 1
    if paused is not None:
        gaps.append(_pause(paused, None))
    return tuple(sorted(gaps, key=lambda gap: gap.seq))


def _line(text: str | None) -> str:
    """The beginning of a recorded text on one line; empty if there is none."""
    return " ".join((text or "")[: 4 * _MOST].split())[:_MOST]


def _pause(paused: OpenedEvent, until: OpenedEvent | None) -> Gap:
    lead = PAUSE_LEAD if until is not None else f"{PAUSE_LEAD} and not resumed"
    reason = _line(paused.event.reason if isinstance(paused.event, Paused) else None)
    text = f"{lead} {_REASONS[reason]}" if reason in _REASONS else _joined(lead, reason)
    return Gap(
        kind=GapKind.PAUSED,
        seq=paused.seq,
        from_ms=paused.ms,
        to_ms=None if until is None else until.ms,
        text=text,
        to_seq=None if until is None else until.seq,
    )


def _of_capture(event: OpenedEvent) -> Iterator[Gap]:
    """What capture says of itself, but for the heartbeat."""
    start, end, source = event.ms, event.ms, None
    match event.event:
        case CaptureGap() as gap:
            start = event.ms if gap.from_ms is None else gap.from_ms
            end = event.ms if gap.to_ms is None else gap.to_ms
            source = _line(gap.source)
            text = _incomplete(source, _line(gap.detail), gap.lost)
        case CaptureHookSilent(name=name):
            source = Source.HOOK
            text = f"the proxy saw a call of {_line(name) or 'a tool'} that no hook reported"
        case CaptureUpstreamOverridden(upstream=upstream, url=url):
            who, where = _line(upstream) or "a provider", _line(url) or "another address"
            text = f"traffic for {who} was sent to {where} instead of the provider's own address"
        case CaptureClockJump(delta_ms=delta_ms):
            text = _jump(delta_ms)
        case CaptureRecovered(detail=detail, lost=lost):
            text = _joined("the recorder was restarted", _line(detail)) if _line(detail) else _restarted(lost)
        case CaptureBypassSuspected(detail=detail):
            text = _joined("the agent may have bypassed the recorder", _line(detail))
        case CaptureConfigChanged(path_name=path_name, detail=detail):
            text = _joined("a setting that recording relies on changed", _line(path_name), _line(detail))
        case CaptureDegraded(detail=detail):
            text = _joined("what is recorded changed", _line(detail))
        case _:
            return
    yield Gap(kind=GapKind(event.kind), seq=event.seq, from_ms=start, to_ms=end, text=text, source=source or None)


def _joined(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


def _jump(delta_ms: int | None) -> str:
    if delta_ms is None:
        return "the computer's clock jumped"
    return f"the computer's clock jumped {jumped_by(delta_ms)}"


def jumped_by(delta_ms: int) -> str:
    """How far a clock was set, and which way: ``3 h backwards``."""
    return f"{lasting(abs(delta_ms))} {'forwards' if delta_ms >= 0 else 'backwards'}"


def _incomplete(source: str, detail: str, lost: int | None) -> str:
    lead = f"recording by the {source} was incomplete" if source else "recording was incomplete"
    if not lost:
        return _joined(lead, detail)
    one, many = _LOST_UNITS.get(source, ("time", "times"))
    return f"{_joined(lead, detail)} ({lost:,} {one if lost == 1 else many}{' lost' if source in _LOST_UNITS else ''})"


def _restarted(lost: int | None) -> str:
    return "the recorder was restarted" + ("" if lost else "; nothing is known to be lost")


def _lost(event: OpenedEvent, expected: int) -> Gap:
    text = f"events from the {event.src} may be missing: number {expected} was expected, {event.src_seq} arrived"
    return Gap(kind=GapKind.SOURCE_LOSS, seq=event.seq, from_ms=event.ms, to_ms=event.ms, text=text, source=event.src)
