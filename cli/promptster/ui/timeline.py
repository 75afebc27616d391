"""A timeline in the terminal: one headline per entry, gaps where they are, and the texts below on request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from promptster.replay.model import Role
from promptster.replay.narration import narrate
from promptster.ui.escape import escape_line, escape_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.replay.model import Entry, Gap, Timeline
    from promptster.replay.narration import Passage

_PASSAGE_LINES = 12


def timeline_lines(timeline: Timeline, *, everything: bool = False) -> Iterator[str]:
    """The timeline line by line, already escaped.

    Args:
        timeline: what is shown.
        everything: also routine entries, and every text in full.
    """
    gaps = sorted(timeline.gaps, key=lambda gap: gap.from_ms)
    lanes = {lane.number: lane.name for lane in timeline.lanes}
    for entry in timeline.entries:
        while gaps and gaps[0].from_ms <= entry.ms:
            yield gap_line(gaps.pop(0))
        if everything or entry.role is Role.STORY:
            yield from entry_lines(entry, lanes.get(entry.lane, ""), everything=everything)
    for gap in gaps:
        yield gap_line(gap)


def entry_lines(entry: Entry, lane: str, *, everything: bool) -> Iterator[str]:
    """One entry: headline first."""
    told = narrate(entry)
    words = [clock_time(entry.ms), f"{entry.seq:>5}", told.label, told.subject, f"({told.note})" if told.note else ""]
    beside = [lane if entry.lane else "", "+".join(entry.sources), *entry.marks]
    yield escape_line("  ".join(word for word in words if word) + "   [" + ", ".join(b for b in beside if b) + "]")
    for passage in told.passages:
        if everything or passage.open:
            yield from passage_lines(passage, limit=None if everything else _PASSAGE_LINES)


def passage_lines(passage: Passage, *, limit: int | None) -> Iterator[str]:
    """A text below a headline, indented; cut after ``limit`` lines with a word about it."""
    if passage.label:
        yield f"           {escape_line(passage.label)}:"
    lines = escape_text(passage.text).splitlines()
    for line in lines[:limit]:
        yield f"           | {line}"
    if limit is not None and len(lines) > limit:
        yield f"           | ... {len(lines) - limit} more lines"


def gap_line(gap: Gap) -> str:
    """A gap, drawn across."""
    until = f" to {clock_time(gap.to_ms)}" if gap.to_ms is not None else ""
    return f"{clock_time(gap.from_ms)}{until}  ---- {escape_line(gap.text)} ----"


def clock_time(ms: int) -> str:
    """The time of day in UTC."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).strftime("%H:%M:%S")
