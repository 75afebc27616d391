"""The picture of activity: bars where something happened, marks under prompts, shades for times without a recording."""

from __future__ import annotations

import re

from tests.helpers.sessions import Script

from promptster.replay.model import Timeline
from promptster.replay.page.strip import strip
from promptster.replay.timeline import build

_RECT = re.compile(r'<rect x="(-?[\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" class="([\w-]+)"')


def _boxes(timeline: Timeline, name: str) -> list[tuple[float, float, float, float]]:
    """Left, top, width and height of the boxes of one class."""
    found = _RECT.findall(str(strip(timeline)))
    return [
        (float(left), float(top), float(width), float(height))
        for left, top, width, height, kind in found
        if kind == name
    ]


def _played() -> Timeline:
    """A prompt at the start, a pause in the middle that lasts half of the session, three prompts at the end."""
    script = Script()
    script.add("hook", "prompt", lane=1, text="first", agent="claude")
    script.add("candidate", "paused", reason="candidate", after_ms=25_000)
    script.add("candidate", "resumed", reason="candidate", after_ms=50_000)
    script.add("hook", "prompt", lane=1, text="second", agent="claude", after_ms=25_000)
    for text in ("third", "fourth"):
        script.add("hook", "prompt", lane=1, text=text, agent="claude", after_ms=1)
    return build(script.events)


def test_nothing_recorded_is_no_picture() -> None:
    """A session without a proved event has no times to draw."""
    assert str(strip(build([]))) == ""


def test_prompts_are_marked_where_they_were_typed() -> None:
    """The first at the left edge, the last ones at the right edge, each below the axis."""
    marks = _boxes(_played(), "tick")
    assert len(marks) == 4
    assert marks[0][0] == -1
    assert all(top > 44 for _, top, _, _ in marks)
    assert all(left > 990 for left, *_ in marks[1:])


def test_bars_grow_with_what_happened() -> None:
    """The busiest bar has the full height, one event is still seen, and the last event is inside the picture."""
    bars = _boxes(_played(), "bar")
    assert len(bars) == 2
    (quiet_left, _, _, quiet), (busy_left, busy_top, busy_width, busy) = bars
    assert quiet_left < 5
    assert busy == 36
    assert 6 < quiet < busy
    assert busy_top + busy == 44
    assert busy_left + busy_width <= 1000


def test_a_pause_is_shaded_over_its_span() -> None:
    """From a quarter to three quarters of the session."""
    [(left, top, width, height)] = _boxes(_played(), "g-paused")
    assert (top, height) == (0, 44)
    assert 240 < left < 260
    assert 490 < width < 510


def test_a_pause_that_does_not_end_reaches_the_end() -> None:
    """The candidate paused and never resumed."""
    script = Script()
    script.add("hook", "prompt", lane=1, text="first", agent="claude")
    script.add("candidate", "paused", reason="candidate", after_ms=50_000)
    script.add("candidate", "note", text="the last thing", after_ms=50_000)
    [(left, _, width, _)] = _boxes(build(script.events), "g-paused")
    assert 490 < left < 510
    assert left + width == 1000
