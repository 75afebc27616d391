"""A replay in the terminal: the verdict, the story with its gaps, and which source saw what.

All text is escaped before it becomes part of a block, and styles are added around it. A passage is one block however
many lines it has, so that a long session costs little more than printing its text.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from promptster.protocol.events.kinds import Kind
from promptster.protocol.verdict import GapKind
from promptster.replay.differences import LineKind, classify
from promptster.replay.formatting import counted
from promptster.replay.model import EntryRole
from promptster.replay.narration import Style, narrate
from promptster.replay.verdict_text import Tone, emptiness, facts, findings, words
from promptster.times import duration, moment, offset
from promptster.ui.blocks import TextBlock
from promptster.ui.escape import escape_line, escape_text
from promptster.ui.wrapping import USUAL_WIDTH, columns, fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.replay.loading import Replay, ReplayHeading
    from promptster.replay.model import Entry, SessionGap, Timeline
    from promptster.replay.narration import Narration, Passage

_TONES = {Tone.GOOD: "bold green", Tone.NEUTRAL: "bold", Tone.WARN: "bold yellow", Tone.BAD: "bold red"}
_LABELS: dict[str, str] = {
    Kind.PROMPT: "bold blue",
    Kind.NOTE: "bold blue",
    Kind.FILE_EDIT: "green",
    Kind.COMMAND: "cyan",
    Kind.TOOL_CALL: "cyan",
}
_REPORTED = frozenset(GapKind) - {
    GapKind.SOURCE_LOSS, GapKind.SILENCE, GapKind.ABSENT, GapKind.UNTIMED, GapKind.MISSING,
}  # fmt: skip
"""Gaps for which an entry exists too; it is left out because the line of the gap says the same."""
_INDENT = " " * 10
_PASSAGE_LINES = 16
_DIFF_STYLES = {
    LineKind.ADDED: "green",
    LineKind.REMOVED: "red",
    LineKind.HEAD: "dim",
    LineKind.HUNK: "dim",
    LineKind.NOTE: "dim",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the story is laid out."""

    width: int = USUAL_WIDTH
    """The width of a line in cells."""
    folds: bool = False
    """Whether to wrap every line, as on a terminal; otherwise only prose, so that the rest can be searched."""
    everything: bool = False
    """Whether to show routine entries too, and every text in full."""

    @classmethod
    def of_terminal(cls, *, everything: bool) -> Layout:
        """The layout for standard output."""
        return cls(width=columns(), folds=sys.stdout.isatty(), everything=everything)


_USUAL = Layout()


def title(known: ReplayHeading, layout: Layout = _USUAL) -> Iterator[TextBlock]:
    """The first line: the title and the organisation."""
    by = f", for {known.organisation}" if known.organisation else ""
    yield _line((known.title or "Session", "bold"), (by, "dim"), layout=layout)


def story(replay: Replay, layout: Layout = _USUAL) -> Iterator[TextBlock]:
    """The whole replay, a few lines at a time."""
    yield from title(replay.facts, layout)
    yield from untitled(replay, layout)


def untitled(replay: Replay, layout: Layout = _USUAL) -> Iterator[TextBlock]:
    """Everything after the title."""
    yield from _heading(replay, layout)
    timeline = replay.timeline
    if not timeline.entries:
        yield _line((emptiness(replay.verification), "bold"), layout=layout)
    start = timeline.started_ms or 0
    gaps = deque(timeline.gaps_by_seq)
    told = frozenset(gap.seq for gap in gaps if gap.kind in _REPORTED)
    lanes = {lane.number: lane.name for lane in timeline.lanes if lane.number > 1}
    for entry in timeline.entries:
        while gaps and gaps[0].seq <= entry.seq:
            yield _gap(gaps.popleft(), start, layout)
        if layout.everything or (entry.role is EntryRole.STORY and entry.seq not in told):
            yield from _entry(entry, lanes.get(entry.lane, ""), start, layout)
    for gap in gaps:
        yield _gap(gap, start, layout)
    yield from _coverage(timeline, layout)


def _line(*parts: tuple[str, str], layout: Layout, hanging: int | None = None) -> TextBlock:
    """One line of escaped text; each part has a style."""
    line = TextBlock(tuple((escape_line(text), style) for text, style in parts))
    return line.folded(layout.width, hanging) if layout.folds else line


def _heading(replay: Replay, layout: Layout) -> Iterator[TextBlock]:
    timeline = replay.timeline
    if timeline.started_ms is not None and timeline.ended_ms is not None:
        length = duration(max(timeline.ended_ms - timeline.started_ms, 0))
        yield _line((f"{moment(timeline.started_ms)}, {length}", "dim"), layout=layout)
    told = words(replay.verification)
    yield _line((told.word, _TONES[told.tone]), (f": {told.headline}", ""), layout=layout)
    for finding in findings(replay.verification):
        yield _line((f"  {finding.code}: {finding.text}", "yellow"), layout=layout)
    for label, text in facts(replay.verification, moment=moment):
        yield _line((f"  {label:<10}", "dim"), (text, "dim"), layout=layout)
    if replay.verification is not None:
        for line in fold(escape_line(replay.verification.claim), layout.width - 2):
            yield TextBlock(((f"  {line}", "dim"),))
    yield TextBlock()


def _entry(entry: Entry, lane: str, start: int, layout: Layout) -> Iterator[TextBlock]:
    told = narrate(entry)
    deep = "  " if entry.action is not None else ""
    beside = [word for word in (lane, " + ".join(entry.sources), *entry.marks) if word]
    yield _line(
        (f"{offset(entry.ms - start):>8}  ", "dim"),
        (deep + told.label, _LABELS.get(entry.kind, "")),
        (f"  {told.subject}" if told.subject else "", ""),
        (f"  {told.note}" if told.note else "", "red" if told.bad else "dim"),
        (f"  [{', '.join(beside)}]", "dim"),
        layout=layout,
        hanging=len(_INDENT) + len(deep),
    )
    yield from _passages(told, layout)


def _passages(told: Narration, layout: Layout) -> Iterator[TextBlock]:
    for passage in told.passages:
        if layout.everything or passage.open or passage.style is Style.DIFF:
            if passage.label:
                yield _line((f"{_INDENT}{passage.label}:", "dim"), layout=layout)
            yield from _passage(passage, layout)


def _passage(passage: Passage, layout: Layout) -> Iterator[TextBlock]:
    text = escape_text(passage.text).replace("\t", "    ").removesuffix("\n")
    room = layout.width - len(_INDENT)
    if passage.style is Style.DIFF:
        lines = text.split("\n")
        styles = (_DIFF_STYLES.get(kind, "") for kind in classify(passage.text.split("\n")))
        styled = groupby(
            zip(styles, lines, strict=False), itemgetter(0)
        )  # the text after the last newline is not a line
        runs = [(style, [line for _, line in run]) for style, run in styled]
        runs = [(style, fold("\n".join(run), room)) for style, run in runs] if layout.folds else runs
    else:
        folds = layout.folds or passage.style is Style.PROSE
        runs = [("", fold(text, room) if folds else text.split("\n"))]
    count = sum(len(lines) for _, lines in runs)
    left = count if layout.everything else min(count, _PASSAGE_LINES)
    more = count - left
    parts: list[tuple[str, str]] = []
    for style, lines in runs:
        shown = [_INDENT + line if line else line for line in lines[:left]]
        left -= len(shown)
        if shown:
            parts += [("\n", "")] if parts else []
            parts.append(("\n".join(shown), style))
    yield TextBlock(tuple(parts))
    if more:
        yield _line((f"{_INDENT}... {counted(more, 'more line')}", "dim"), layout=layout)


def _gap(gap: SessionGap, start: int, layout: Layout) -> TextBlock:
    length = f" ({duration(gap.to_ms - gap.from_ms)})" if gap.to_ms is not None and gap.to_ms > gap.from_ms else ""
    words_ = f"{offset(gap.from_ms - start):>8}  ---- {gap.text}{length} ----"
    return _line((words_, "yellow"), layout=layout, hanging=len(_INDENT))


def _coverage(timeline: Timeline, layout: Layout) -> Iterator[TextBlock]:
    if not timeline.coverage:
        return
    yield TextBlock()
    yield _line(("Who saw what", "bold"), layout=layout)
    for kind in timeline.coverage:
        seen = ", ".join(f"{' and '.join(sources)} {count}" for sources, count in kind.by_sources.items())
        yield _line((f"  {kind.kind:<18}{kind.total:>6}  ", ""), (seen, "dim"), layout=layout, hanging=28)
