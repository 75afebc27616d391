"""The session at a glance: when there was activity, when the candidate wrote, when nothing was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.protocol.events.kinds import Prompt
from promptster.protocol.verdict import GapKind
from promptster.replay.page.markup import Html, element, join

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.replay.model import Timeline

_WIDTH, _HEIGHT = 1000, 56
_BINS = 200
_BASE = 44
_SPANS = frozenset({GapKind.PAUSED, GapKind.CAPTURE_GAP, GapKind.SILENCE, GapKind.UNTIMED, GapKind.MISSING})


class _Scale:
    """From moments to places."""

    def __init__(self, start: int, end: int) -> None:
        self.end = end
        self._start = start
        self._span = max(end - start, 1)

    def share(self, ms: int) -> float:
        """How much of the session is over."""
        return min(max((ms - self._start) / self._span, 0), 1)

    def place(self, ms: int) -> float:
        """The distance from the left edge."""
        return self.share(ms) * _WIDTH


def strip(timeline: Timeline) -> Html:
    """A small picture of activity over time; the tables and the timeline say the same in words."""
    start, end = timeline.started_ms, timeline.ended_ms
    if start is None or end is None:
        return Html()
    scale = _Scale(start, end)
    return element(
        "svg",
        element("line", x1=0, x2=_WIDTH, y1=_BASE, y2=_BASE, class_="axis"),
        join(*_gaps(timeline, scale), *_bars(timeline, scale), *_prompts(timeline, scale)),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label="Activity over time: bars are events, marks below them are prompts, shaded spans are gaps",
        class_="strip",
        id="strip",
    )


def _box(left: float, top: float, width: float, height: float, name: str) -> Html:
    return element("rect", x=f"{left:.1f}", y=f"{top:.1f}", width=f"{width:.1f}", height=f"{height:.1f}", class_=name)


def _gaps(timeline: Timeline, scale: _Scale) -> Iterator[Html]:
    for gap in timeline.gaps:
        if gap.kind in _SPANS:
            left = scale.place(gap.from_ms)
            right = scale.place(scale.end if gap.to_ms is None else gap.to_ms)
            yield _box(left, 0, max(right - left, 3), _BASE, f"g-{gap.kind.value}")


def _bars(timeline: Timeline, scale: _Scale) -> Iterator[Html]:
    bins = [0] * _BINS
    for entry in timeline.story:
        if entry.lane:
            bins[min(int(scale.share(entry.ms) * _BINS), _BINS - 1)] += 1
    top, step = max(bins, default=0) or 1, _WIDTH / _BINS
    for index, count in enumerate(bins):
        if count:
            height = 6 + 30 * (count / top) ** 0.5
            yield _box(index * step + 0.5, _BASE - height, step - 1, height, "bar")


def _prompts(timeline: Timeline, scale: _Scale) -> Iterator[Html]:
    for entry in timeline.story:
        if isinstance(entry.event, Prompt) and entry.counts:
            yield _box(scale.place(entry.ms) - 1, _BASE + 3, 2, 9, "tick")
