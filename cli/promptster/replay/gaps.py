"""Where the record is silent, and what is known about why.

Pauses are the candidate's right, capture gaps are the recorder's own report of loss, untimed and missing spans are what
verification found. A gap says nothing about what happened in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptster.replay.model import Gap, GapKind
from promptster.replay.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from promptster.replay.model import Entry

_RECORDED_ALL = "the recorder was restarted; nothing is known to be lost"


def find_gaps(entries: Sequence[Entry], beyond: Iterable[Gap] = ()) -> tuple[Gap, ...]:
    """Every gap that the entries report, and those found ``beyond`` them, in order of time.

    Args:
        entries: a session's entries, ascending.
        beyond: gaps that no entry reports, such as the spans that verification found missing or untimed.
    """
    reported = [_REPORTS[entry.kind](entry) for entry in entries if entry.kind in _REPORTS]
    gaps = [*_pauses(entries), *reported, *beyond]
    return tuple(sorted(gaps, key=lambda gap: (gap.from_ms, gap.seq if gap.seq is not None else -1)))


def _pauses(entries: Sequence[Entry]) -> list[Gap]:
    pauses: list[Gap] = []
    begun: Entry | None = None
    for entry in entries:
        if entry.kind == "paused" and begun is None:
            begun = entry
        elif entry.kind in {"resumed", "closed"} and begun is not None:
            pauses.append(_pause(begun, entry.ms))
            begun = None
    if begun is not None:
        pauses.append(_pause(begun, None))
    return pauses


def _pause(begun: Entry, to_ms: int | None) -> Gap:
    reason = _text(begun, "reason")
    text = "recording was paused" if to_ms is not None else "recording was paused and not resumed"
    return Gap(
        kind=GapKind.PAUSE,
        text=f"{text}: {reason}" if reason else text,
        from_ms=begun.ms,
        to_ms=to_ms,
        seq=begun.seq,
    )


def _text(entry: Entry, name: str) -> str:
    value = entry.fields.get(name)
    return one_line(value) if isinstance(value, str) else ""


def _number(entry: Entry, name: str) -> int | None:
    value = entry.fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _gap(entry: Entry, kind: GapKind, text: str, **more: Any) -> Gap:
    more.setdefault("from_ms", entry.ms)
    more.setdefault("to_ms", entry.ms)
    return Gap(kind=kind, text=text, seq=entry.seq, **more)


def _capture_gap(entry: Entry) -> Gap:
    source, detail, lost = _text(entry, "source") or None, _text(entry, "detail"), _number(entry, "lost")
    what = f"capture by the {source} was incomplete" if source else "capture was incomplete"
    from_ms, to_ms = _number(entry, "from_ms"), _number(entry, "to_ms")
    return _gap(
        entry,
        GapKind.CAPTURE_GAP,
        f"{what}: {detail}" if detail else what,
        source=source,
        lost=lost,
        from_ms=entry.ms if from_ms is None else from_ms,
        to_ms=to_ms,
    )


def _recovered(entry: Entry) -> Gap:
    detail, lost = _text(entry, "detail"), _number(entry, "lost")
    text = "the recorder was restarted" if lost or detail else _RECORDED_ALL
    return _gap(entry, GapKind.RECOVERED, f"{text}: {detail}" if detail else text, lost=lost)


def _hook_silent(entry: Entry) -> Gap:
    name = _text(entry, "name") or "a tool"
    return _gap(entry, GapKind.HOOK_SILENT, f"the proxy saw a call of {name} that no hook reported", source="hook")


def _detailed(kind: GapKind, text: str) -> Callable[[Entry], Gap]:
    def report(entry: Entry) -> Gap:
        detail = _text(entry, "detail")
        return _gap(entry, kind, f"{text}: {detail}" if detail else text)

    return report


def _clock_jump(entry: Entry) -> Gap:
    delta = _number(entry, "delta_ms") or 0
    direction = "forwards" if delta >= 0 else "backwards"
    seconds = abs(delta) / 1000
    return _gap(entry, GapKind.CLOCK_JUMP, f"the computer's clock jumped {seconds:.1f} s {direction}")


_REPORTS: dict[str, Callable[[Entry], Gap]] = {
    "capture_gap": _capture_gap,
    "capture_recovered": _recovered,
    "capture_hook_silent": _hook_silent,
    "capture_degraded": _detailed(GapKind.DEGRADED, "capture was reduced"),
    "capture_bypass_suspected": _detailed(GapKind.BYPASS_SUSPECTED, "the agent may have gone around the recorder"),
    "capture_clock_jump": _clock_jump,
}
