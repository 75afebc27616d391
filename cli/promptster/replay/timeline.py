"""From opened wire events to a timeline: the one place where a session's story is put together."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from promptster.protocol.events import Source
from promptster.protocol.events.kinds import (
    AgentOther,
    CaptureHeartbeat,
    Command,
    FileEdit,
    Redaction,
    ToolCall,
    ToolResult,
)
from promptster.replay.annotations import RUN_BY_PROVIDER, left_out, run_by_provider
from promptster.replay.attempts import fold_attempts
from promptster.replay.correlation import OF_TOOL, clusters
from promptster.replay.coverage import by_kind, by_source
from promptster.replay.edits import calls_of
from promptster.replay.entry_merging import merge
from promptster.replay.lane_names import find_lanes
from promptster.replay.model import REFUSED_ATTEMPT, Entry, EntryRole, SessionGap, Timeline
from promptster.replay.session_gaps import find_gaps
from promptster.replay.submitted_files import find_submission

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from promptster.protocol.events import OpenedEvent

_DONE = (ToolResult, FileEdit, Command)
"""What comes of a call."""
_IN_PART = "recorded in part"


def build(
    events: Sequence[OpenedEvent], *, unreported: Iterable[SessionGap] = (), redacted: Iterable[tuple[int, str]] = ()
) -> Timeline:
    """Put a session together.

    Args:
        events: its opened wire events, in any order.
        unreported: gaps that no event reports (see ``session_gaps.find_gaps``).
        redacted: values (``seq`` and field) that a record outside the session took away; those that the candidate
            redacted in it are found in the events.
    """
    taken = frozenset(redacted).union(_redacted_inside(events))
    calls = calls_of(events)
    there = run_by_provider(events)
    merged = [_with_marks(merge(cluster, calls), taken, there) for cluster in clusters(events)]
    entries = _with_what_was_left_out(_with_actions(_with_refs(fold_attempts(merged))))
    return Timeline(
        entries=tuple(entries),
        lanes=find_lanes(entries),
        gaps=find_gaps(events, unreported),
        sources=by_source(events),
        coverage=by_kind(entries),
        submission=find_submission(entries),
        wire_events=len(events),
    )


def _redacted_inside(events: Iterable[OpenedEvent]) -> Iterator[tuple[int, str]]:
    for event in events:
        match event.event:
            case Redaction(target_seq=int(seq), target_field=str(name)) if event.src == Source.CANDIDATE:
                yield seq, name
            case _:
                continue


def _with_marks(entry: Entry, taken: Collection[tuple[int, str]], there: frozenset[int]) -> Entry:
    marks = [*entry.marks, *([RUN_BY_PROVIDER] if not there.isdisjoint(entry.seqs) else ())]
    if entry.is_machine:
        marks.append("not typed by the candidate")
    if entry.cut:
        marks.append(_IN_PART)
    gone = [name for name in entry.withheld if any((seq, name) in taken for seq in entry.seqs)]
    absent = [name for name in entry.withheld if name not in gone]
    marks += [f"redacted: {', '.join(gone)}"] if gone else []
    marks += [f"not in this record: {', '.join(absent)}"] if absent else []
    return replace(entry, marks=tuple(marks), role=EntryRole.ROUTINE if _is_routine(entry) else entry.role)


def _is_routine(entry: Entry) -> bool:
    """Whether it says nothing by itself: a heartbeat, or the agent's own comings and goings."""
    match entry.event:
        case AgentOther(raw_kind=raw_kind):
            return raw_kind != REFUSED_ATTEMPT
        case CaptureHeartbeat():
            return True
        case _:
            return False


def _with_refs(entries: Sequence[Entry]) -> list[Entry]:
    """References by wire number become references by entry; one into the entry itself goes."""
    owner = {seq: entry.seq for entry in entries for seq in entry.seqs}
    placed: list[Entry] = []
    for entry in entries:
        refs = tuple(dict.fromkeys(owner.get(ref, ref) for ref in entry.refs))
        placed.append(replace(entry, refs=tuple(ref for ref in refs if ref != entry.seq)))
    return placed


def _with_actions(entries: Sequence[Entry]) -> list[Entry]:
    """Results, edits, commands and permissions point to the tool call that they belong to.

    A call of the same conversation wins; ids may repeat in others. If no call has the id, a reference decides.
    """
    named = [(entry, _tool_use_id(entry)) for entry in entries]
    calls: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    first: dict[str, int] = {}
    every = {entry.seq for entry in entries if isinstance(entry.event, ToolCall)}
    for entry, name in named:
        if name:
            first.setdefault(name, entry.seq)
            if isinstance(entry.event, ToolCall):
                calls[name, entry.lane].append(entry.seq)
                calls[name, None].append(entry.seq)
    placed: list[Entry] = []
    for entry, name in named:
        near = calls.get((name, entry.lane)) or calls.get((name, None)) or []
        if not near and isinstance(entry.event, _DONE):
            near = [ref for ref in entry.refs if ref in every]
        near = near or [first.get(name, entry.seq)]
        head = next((ref for ref in entry.refs if ref in near), None) or _head(near, entry.seq)
        alone = isinstance(entry.event, ToolCall) or head == entry.seq
        placed.append(entry if alone else replace(entry, action=head))
    return placed


def _with_what_was_left_out(entries: Sequence[Entry]) -> list[Entry]:
    words = left_out(entries)
    return [
        replace(entry, marks=(*entry.marks, words[entry.seq])) if entry.seq in words else entry for entry in entries
    ]


def _tool_use_id(entry: Entry) -> str:
    return (entry.event.tool_use_id if isinstance(entry.event, OF_TOOL) else None) or ""


def _head(calls: Sequence[int], seq: int) -> int:
    """The last call before ``seq``; a report that overtook its call belongs to the first one."""
    index = bisect_right(calls, seq)
    return calls[max(index - 1, 0)]
