"""Gaps of capture, from what the recorder itself said: they are drawn, and do not change the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from promptster.protocol.events import OpenedEvent
from promptster.protocol.verdict import Gap

_TELLING = {
    "capture_hook_silent": "no hook reported a tool call that the proxy saw",
    "capture_bypass_suspected": "something seems to have gone past the recorder",
    "capture_config_changed": "a setting that capture relies on was changed",
    "capture_degraded": "heavy fields were left out",
    "capture_gap": "something was not recorded",
    "capture_clock_jump": "the computer's clock was set",
    "capture_upstream_overridden": "traffic went to another provider than the policy names",
    "capture_recovered": "the recorder was restarted",
}


def read_gaps(events: Sequence[OpenedEvent]) -> tuple[Gap, ...]:
    """Pauses, what capture said about itself, and arrivals that the recorder lost."""
    gaps: list[Gap] = []
    paused: OpenedEvent | None = None
    arrivals: dict[str, int] = {}
    following, whole = 0, True
    for event in events:
        if event.seq != following:
            arrivals, whole = {}, False
        following = event.seq + 1
        if event.kind == "paused" and paused is None:
            paused = event
        elif event.kind in {"resumed", "closed"} and paused is not None:
            gaps.append(_pause(paused, event.ms))
            paused = None
        elif event.kind in _TELLING:
            gaps.append(_told(event))
        expected = arrivals.get(event.src, 0 if whole else event.src_seq)
        if event.src_seq != expected:
            gaps.append(_lost(event, expected))
        arrivals[event.src] = event.src_seq + 1
    if paused is not None:
        gaps.append(_pause(paused, None))
    return tuple(sorted(gaps, key=lambda gap: gap.seq))


def _pause(paused: OpenedEvent, until: int | None) -> Gap:
    return Gap(kind="paused", seq=paused.seq, from_ms=paused.ms, to_ms=until, text="the candidate paused recording")


def _told(event: OpenedEvent) -> Gap:
    fields = event.fields
    start, end = fields.get("from_ms", event.ms), fields.get("to_ms", event.ms)
    detail = fields.get("detail") or fields.get("name") or fields.get("url") or ""
    text = _TELLING[event.kind] + (f": {str(detail)[:200]}" if detail else "")
    return Gap(kind=event.kind, seq=event.seq, from_ms=start, to_ms=end, text=text)


def _lost(event: OpenedEvent, expected: int) -> Gap:
    text = f"the recorder numbered arrival {event.src_seq} from {event.src} where {expected} was due"
    return Gap(kind="source_loss", seq=event.seq, from_ms=event.ms, to_ms=event.ms, text=text)
