"""Gaps of capture, from what the recorder said, or failed to say: they are told, and do not change the verdict.

What counts as one, and its words, stand here alone: verification, timeline, page and terminal all tell these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptster.protocol.events import OpenedEvent
from promptster.protocol.events.kinds import Kind
from promptster.protocol.events.sources import is_own
from promptster.protocol.heartbeats import silences
from promptster.protocol.verdict import Gap, lasting

PAUSED: Final = Kind.PAUSED.value
SOURCE_LOSS: Final = "source_loss"
PAUSE_LEAD: Final = "recording was paused"
"""What the text of every pause begins with."""
STOP_WORDS: Final = "because the recorder stopped"
"""What the text of a pause that nobody asked for ends with."""
_REASONS: Final[Mapping[str, str]] = {"candidate": "by the candidate", "recorder_stopped": STOP_WORDS}
"""Reasons that the recorder itself gives for a pause; any other text stands as it is."""

_MOST = 200
"""Characters of a recorded text that a gap's words repeat."""
_LEADS: Final[Mapping[str, str]] = {
    Kind.CAPTURE_BYPASS_SUSPECTED: "the agent may have gone around the recorder",
    Kind.CAPTURE_CONFIG_CHANGED: "a setting that capture relies on changed",
    Kind.CAPTURE_DEGRADED: "how much is captured changed",
}
_LOST_UNITS: Final[Mapping[str, tuple[str, str]]] = {
    "proxy": ("byte", "bytes"),
    "hook": ("hook call", "hook calls"),
}
"""What ``lost`` of a capture gap counts, by its source."""


def is_outage(kind: str, text: str) -> bool:
    """Whether a gap of this kind with these words is a pause because the recorder ended: nobody asked for it."""
    return kind == PAUSED and text.endswith(STOP_WORDS)


def is_gap_of_capture(kind: str) -> bool:
    """Whether an event of this kind is the recorder's word about a gap: every ``capture_*`` but the heartbeat."""
    return kind.startswith("capture_") and kind != Kind.CAPTURE_HEARTBEAT


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
        if is_own(event.kind, event.src) and event.kind == Kind.PAUSED and paused is None:
            paused = event
        elif is_own(event.kind, event.src) and event.kind in {Kind.RESUMED, Kind.CLOSED} and paused is not None:
            gaps.append(_pause(paused, event))
            paused = None
        elif is_gap_of_capture(event.kind):
            gaps.append(_told(event))
        expected = arrivals.get(event.src, 0 if whole else event.src_seq)
        if event.src_seq != expected:
            gaps.append(_lost(event, expected))
        arrivals[event.src] = event.src_seq + 1
    if paused is not None:
        gaps.append(_pause(paused, None))
    return tuple(sorted(gaps, key=lambda gap: gap.seq))


def _text(event: OpenedEvent, name: str) -> str:
    """A field on one line; empty where it is not told."""
    value = event.fields.get(name)
    return " ".join(value[: 4 * _MOST].split())[:_MOST] if isinstance(value, str) else ""


def _number(event: OpenedEvent, name: str) -> int | None:
    """A whole number; a hostile event may hold the text of one that was cut."""
    value: Any = event.fields.get(name)
    return value if type(value) is int else None


def _pause(paused: OpenedEvent, until: OpenedEvent | None) -> Gap:
    lead = PAUSE_LEAD if until is not None else f"{PAUSE_LEAD} and not resumed"
    reason = _text(paused, "reason")
    text = f"{lead} {_REASONS[reason]}" if reason in _REASONS else _joined(lead, reason)
    return Gap(
        kind=PAUSED,
        seq=paused.seq,
        from_ms=paused.ms,
        to_ms=None if until is None else until.ms,
        text=text,
        to_seq=None if until is None else until.seq,
    )


def _told(event: OpenedEvent) -> Gap:
    start, end = _number(event, "from_ms"), _number(event, "to_ms")
    source = _text(event, "source") if event.kind == Kind.CAPTURE_GAP else ""
    return Gap(
        kind=event.kind,
        seq=event.seq,
        from_ms=event.ms if start is None else start,
        to_ms=event.ms if end is None else end,
        text=_words(event),
        source="hook" if event.kind == Kind.CAPTURE_HOOK_SILENT else source or None,
    )


def _words(event: OpenedEvent) -> str:
    detail = _text(event, "detail")
    match event.kind:
        case Kind.CAPTURE_HOOK_SILENT:
            return f"the proxy saw a call of {_text(event, 'name') or 'a tool'} that no hook reported"
        case Kind.CAPTURE_UPSTREAM_OVERRIDDEN:
            who, where = _text(event, "upstream") or "a provider", _text(event, "url") or "another address"
            return f"traffic for {who} was sent to {where} instead of the provider's own address"
        case Kind.CAPTURE_CLOCK_JUMP:
            return _jump(_number(event, "delta_ms"))
        case Kind.CAPTURE_GAP:
            return _incomplete(_text(event, "source"), detail, _number(event, "lost"))
        case Kind.CAPTURE_RECOVERED:
            return _joined("the recorder was restarted", detail) if detail else _restarted(_number(event, "lost"))
        case _:
            return _joined(_LEADS[event.kind], _text(event, "path_name"), detail)


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
    lead = f"capture by the {source} was incomplete" if source else "capture was incomplete"
    if not lost:
        return _joined(lead, detail)
    one, many = _LOST_UNITS.get(source, ("time", "times"))
    return f"{_joined(lead, detail)} ({lost:,} {one if lost == 1 else many})"


def _restarted(lost: int | None) -> str:
    return "the recorder was restarted" + ("" if lost else "; nothing is known to be lost")


def _lost(event: OpenedEvent, expected: int) -> Gap:
    text = f"the recorder numbered arrival {event.src_seq} from {event.src} where {expected} was due"
    return Gap(kind=SOURCE_LOSS, seq=event.seq, from_ms=event.ms, to_ms=event.ms, text=text, source=event.src)
