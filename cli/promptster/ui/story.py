"""A replay in the terminal: the verdict, the story with its gaps, and who saw what.

Every text goes through the escaper before it becomes part of a line; styles are added around it and never read from it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rich.text import Text

from promptster.replay.model import GapKind, Role
from promptster.replay.narration import Style, narrate
from promptster.replay.verdict import Tone, emptiness, facts, findings, words
from promptster.replay.wording import clock, counted, duration, offset
from promptster.ui.escape import escape_line, escape_text
from promptster.ui.reading import wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.replay.model import Entry, Gap, Timeline
    from promptster.replay.narration import Narration, Passage
    from promptster.replay.session import Replay

_TONES = {Tone.GOOD: "bold green", Tone.NEUTRAL: "bold", Tone.WARN: "bold yellow", Tone.BAD: "bold red"}
_LABELS = {"prompt": "bold blue", "note": "bold blue", "file_edit": "green", "command": "cyan", "tool_call": "cyan"}
_REPORTED = frozenset(GapKind) - {GapKind.SOURCE_LOSS, GapKind.UNTIMED, GapKind.MISSING}
"""Gaps that an entry of their own reports: the gap's line says it all."""
_INDENT = " " * 10
_PASSAGE_LINES = 16
_WIDTH = 100


def story(replay: Replay, *, everything: bool = False) -> Iterator[Text]:
    """The replay line by line.

    Args:
        replay: what is shown.
        everything: also routine entries and housekeeping, and every text in full.
    """
    yield from _heading(replay)
    timeline = replay.timeline
    if not timeline.entries:
        yield _line((emptiness(replay.verification), "bold"))
    start = timeline.started_ms or 0
    gaps = deque(timeline.gaps_by_seq)
    told = frozenset(gap.seq for gap in gaps if gap.kind in _REPORTED)
    lanes = {lane.number: lane.name for lane in timeline.lanes if lane.number > 1}
    for entry in timeline.entries:
        while gaps and gaps[0].seq <= entry.seq:
            yield _gap(gaps.popleft(), start)
        if everything or (entry.role is Role.STORY and entry.seq not in told):
            yield from _entry(entry, lanes.get(entry.lane, ""), start, everything=everything)
    for gap in gaps:
        yield _gap(gap, start)
    yield from _coverage(timeline)


def _line(*parts: tuple[str, str]) -> Text:
    """One line of escaped text; each part with its style."""
    line = Text(no_wrap=True, overflow="ignore", end="\n")
    for text, style in parts:
        line.append(escape_line(text), style)
    return line


def _heading(replay: Replay) -> Iterator[Text]:
    timeline = replay.timeline
    title = replay.facts.title or "session"
    by = f"  {replay.facts.organisation}" if replay.facts.organisation else ""
    yield _line((title, "bold"), (by, "dim"))
    if timeline.started_ms is not None and timeline.ended_ms is not None:
        length = duration(max(timeline.ended_ms - timeline.started_ms, 0))
        yield _line((f"{clock(timeline.started_ms)}, {length}", "dim"))
    told = words(replay.verification)
    yield _line((told.word, _TONES[told.tone]), (f": {told.headline}", ""))
    for finding in findings(replay.verification):
        yield _line((f"  {finding.code}: {finding.text}", "yellow"))
    for label, text in facts(replay.verification):
        yield _line((f"  {label:<10}", "dim"), (text, "dim"))
    if replay.verification is not None:
        for line in wrap(replay.verification.claim):
            yield _line((f"  {line}", "dim"))
    yield Text()


def _entry(entry: Entry, lane: str, start: int, *, everything: bool) -> Iterator[Text]:
    told = narrate(entry)
    deep = "  " if entry.action is not None else ""
    beside = [word for word in (lane, " + ".join(entry.sources), *entry.marks) if word]
    yield _line(
        (f"{offset(entry.ms - start):>8}  ", "dim"),
        (deep + told.label, _LABELS.get(entry.kind, "")),
        (f"  {told.subject}" if told.subject else "", ""),
        (f"  {told.note}" if told.note else "", "red" if told.bad else "dim"),
        (f"  [{', '.join(beside)}]", "dim"),
    )
    yield from _passages(told, everything=everything)


def _passages(told: Narration, *, everything: bool) -> Iterator[Text]:
    for passage in told.passages:
        if everything or passage.open or passage.style is Style.DIFF:
            if passage.label:
                yield _line((f"{_INDENT}{passage.label}:", "dim"))
            yield from _passage(passage, limit=None if everything else _PASSAGE_LINES)


def _passage(passage: Passage, *, limit: int | None) -> Iterator[Text]:
    prose = passage.style is Style.PROSE
    lines = wrap(passage.text, _WIDTH) if prose else escape_text(passage.text).splitlines()
    for line in lines[:limit]:
        yield _line(
            (_INDENT, ""), (line.replace("\t", "    "), _diff_style(line) if passage.style is Style.DIFF else "")
        )
    if limit is not None and len(lines) > limit:
        yield _line((f"{_INDENT}... {counted(len(lines) - limit, 'more line')}", "dim"))


def _diff_style(line: str) -> str:
    return {"+": "green", "-": "red", "@": "dim"}.get(line[:1], "")


def _gap(gap: Gap, start: int) -> Text:
    length = f" ({duration(gap.to_ms - gap.from_ms)})" if gap.to_ms is not None and gap.to_ms > gap.from_ms else ""
    return _line((f"{offset(gap.from_ms - start):>8}  ---- {gap.text}{length} ----", "yellow"))


def _coverage(timeline: Timeline) -> Iterator[Text]:
    if not timeline.coverage:
        return
    yield Text()
    yield _line(("who saw what", "bold"))
    for kind in timeline.coverage:
        seen = ", ".join(f"{' and '.join(sources)} {count}" for sources, count in kind.by_sources.items())
        yield _line((f"  {kind.kind:<18}{kind.total:>6}  ", ""), (seen, "dim"))
