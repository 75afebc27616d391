"""Which wire events report the same thing.

The proxy and the hooks see most actions both. They are joined by what the agent itself gives them in common: the
tool-use id, the subagent's id, or, for prompts, the same text in the same conversation, in order. A *viewpoint* is a
source together with the agent that it speaks for, so that one action reported by two hook layers is one action too. Two
events of one viewpoint are never one action: an agent that asks twice, asked twice.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from promptster.protocol.events.base import OfAgent
from promptster.protocol.events.kinds import (
    Command,
    FileEdit,
    Kind,
    Permission,
    Prompt,
    SubagentStarted,
    SubagentStopped,
    ToolCall,
    ToolResult,
    agent_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from promptster.protocol.events import OpenedEvent

OF_TOOL = (ToolCall, ToolResult, FileEdit, Command, Permission)
"""What is correlated by the id of a tool's use."""
_OF_SUBAGENT = (SubagentStarted, SubagentStopped)
CORRELATED = (*OF_TOOL, *_OF_SUBAGENT, Prompt)
"""What more than one source can report."""

_MOST_PATHS = 2000
"""Files of one call up to which a shorter path is looked for in longer ones; beyond, only equal paths are one."""
_MOST_CHOICES = 4_000_000
"""Effort that finding partners by time may take; beyond, they go one by one."""


class Viewpoint(NamedTuple):
    """A source and the agent that it speaks for."""

    source: str
    agent: str


def viewpoint(event: OpenedEvent) -> Viewpoint:
    """The viewpoint of an event; one that names no agent speaks for any."""
    return Viewpoint(event.src, agent_of(event.event) or "")


def clusters(events: Sequence[OpenedEvent]) -> list[list[OpenedEvent]]:
    """Events grouped by what they report: every event in exactly one group, groups and members ascending by ``seq``."""
    ordered = sorted(events, key=lambda event: event.seq)
    groups: dict[tuple[str, ...], list[OpenedEvent]] = defaultdict(list)
    found: list[list[OpenedEvent]] = []
    prompt_sessions = _sessions_by_prompt(ordered)
    for event in ordered:
        key = _join_key(event, prompt_sessions)
        if key:
            groups[key].append(event)
        else:
            found.append([event])
    calls: dict[int, int] = {}
    """Per event that reports a call, the first one that does."""
    for (kind, *_), group in sorted(groups.items(), key=lambda each: each[0][0] != Kind.TOOL_CALL):
        for same in [group] if kind == Kind.PROMPT else _by_conversation(group):
            for one in _by_call(same, calls):
                for part in _by_path(one) if kind == Kind.FILE_EDIT else [one]:
                    joined = _join_calls(part) if kind == Kind.TOOL_CALL else _align_viewpoints(part)
                    if kind == Kind.TOOL_CALL:
                        calls |= {event.seq: cluster[0].seq for cluster in joined for event in cluster}
                    found += joined
    return sorted(found, key=lambda cluster: cluster[0].seq)


def _session_of(event: OpenedEvent) -> str:
    return (event.event.agent_session if isinstance(event.event, OfAgent) else None) or ""


def _subagent_of(event: OpenedEvent) -> str:
    return (event.event.agent_id if isinstance(event.event, OfAgent) else None) or ""


def _path(event: OpenedEvent) -> str:
    return ((event.event.path if isinstance(event.event, FileEdit) else None) or "").removeprefix("./")


def _sessions_by_prompt(events: Iterable[OpenedEvent]) -> dict[str, set[str]]:
    """Per prompt text, the agent sessions in which it was seen."""
    sessions: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if isinstance(event.event, Prompt) and event.event.agent_session:
            sessions[(event.event.text or "").strip()].add(event.event.agent_session)
    return sessions


def _join_key(event: OpenedEvent, prompt_sessions: dict[str, set[str]]) -> tuple[str, ...]:
    """What an event shares with other reports of the same thing, its kind first; empty if nothing else reports it."""
    said, kind = event.event, event.kind
    if isinstance(said, OF_TOOL) and said.tool_use_id:
        return kind, said.tool_use_id
    if isinstance(said, _OF_SUBAGENT) and said.agent_id:
        return kind, said.agent_id
    if isinstance(said, Prompt) and (text := (said.text or "").strip()):
        # A source that does not know the agent's session can still be joined while only one session has that text.
        several = len(prompt_sessions[text]) > 1
        return kind, text, (said.agent_session or "") if several else ""
    return ()


def _by_conversation(group: list[OpenedEvent]) -> list[list[OpenedEvent]]:
    """Reports of one id, apart by agent session and subagent: ids need not be ones that no other conversation has.

    Only where two viewpoints agree on a session, or on a subagent in it. If they do not, they name one conversation
    differently.
    """
    sessions = _parts(group, _session_of)
    if "" in sessions or not _is_agreed(sessions):
        sessions = {"": group}
    found: list[list[OpenedEvent]] = []
    for same in sessions.values():
        subagents = _parts(same, _subagent_of)
        found += subagents.values() if _is_agreed(subagents) else [same]
    return found


def _parts(group: list[OpenedEvent], named: Callable[[OpenedEvent], str]) -> dict[str, list[OpenedEvent]]:
    parts: dict[str, list[OpenedEvent]] = defaultdict(list)
    for event in group:
        parts[named(event)].append(event)
    return parts


def _is_agreed(parts: Mapping[str, list[OpenedEvent]]) -> bool:
    """Whether two viewpoints report any of them."""
    return any(len({viewpoint(event) for event in part}) > 1 for part in parts.values())


def _join_calls(group: list[OpenedEvent]) -> list[list[OpenedEvent]]:
    """Calls of one id: a report that refers to another one reports the same call, the rest goes by order."""
    by_seq = {event.seq: event for event in group}
    partner: dict[int, OpenedEvent] = {}
    """Per call, the report of another source that refers to it."""
    if len({viewpoint(event) for event in group}) < len(group):
        for event in group:
            told = next((by_seq[ref] for ref in event.refs if ref in by_seq), None)
            if told is not None and viewpoint(told) != viewpoint(event) and told.seq not in partner:
                partner[told.seq] = event
    paired = {event.seq for event in partner.values()} | partner.keys()
    pairs = [[by_seq[seq], event] for seq, event in partner.items()]
    rest = [event for event in group if event.seq not in paired]
    return pairs + (_align_viewpoints(rest) if rest else [])


def _by_call(group: list[OpenedEvent], actions: Mapping[int, int]) -> list[list[OpenedEvent]]:
    """Reports of one id, apart by the call that they refer to: providers may give one id to the calls of every turn.

    Only where every report refers to a call of this id.
    """
    parts: dict[int, list[OpenedEvent]] = defaultdict(list)
    for event in group:
        call = next((actions[ref] for ref in event.refs if ref in actions), None)
        if call is None:
            return [group]
        parts[call].append(event)
    return list(parts.values())


def _by_path(group: list[OpenedEvent]) -> list[list[OpenedEvent]]:
    """Edits of one tool call, one group per file; a shorter path joins the longer one that ends with it.

    Of several that do, the shortest: the others lie in folders below. No viewpoint calls one file by two names, and no
    longer path takes in two shorter ones.
    """
    reported: dict[str, list[OpenedEvent]] = defaultdict(list)
    for event in group:
        reported[_path(event)].append(event)
    seen_by = {path: {viewpoint(event) for event in events} for path, events in reported.items()}
    whole: dict[str, str] = {}
    taken: set[str] = set()
    for path in sorted(reported, key=lambda name: (-len(name), name)):
        fitting = [
            other
            for other in (whole if len(reported) <= _MOST_PATHS else ())
            if other.endswith("/" + path) and other not in taken and seen_by[path].isdisjoint(seen_by[other])
        ]
        if fitting:
            taken.add(longer := min(fitting, key=len))
            whole[path] = whole[longer]
        else:
            whole[path] = path
    parts: dict[str, list[OpenedEvent]] = defaultdict(list)
    for event in group:
        parts[whole[_path(event)]].append(event)
    return list(parts.values())


def _align_viewpoints(group: list[OpenedEvent]) -> list[list[OpenedEvent]]:
    """One group per action: the n-th report of one viewpoint goes with the n-th of another."""
    by_viewpoint: dict[Viewpoint, list[OpenedEvent]] = defaultdict(list)
    for event in group:
        by_viewpoint[viewpoint(event)].append(event)
    reports = sorted(by_viewpoint.values(), key=len, reverse=True)
    actions = [[event] for event in reports[0]]
    for others in reports[1:]:
        for index, event in zip(_places(others, [action[0] for action in actions]), others, strict=True):
            actions[index].append(event)
    for action in actions:
        action.sort(key=lambda event: event.seq)
    return actions


def _places(fewer: Sequence[OpenedEvent], more: Sequence[OpenedEvent]) -> list[int]:
    """For each of ``fewer``, its partner's index in ``more``: ascending, and closest in time altogether.

    With equal counts that is one by one. With unequal counts a source missed some, and the distance in time says which;
    this is the classic minimum-cost monotone assignment by dynamic programming.
    """
    count, spare = len(fewer), len(more) - len(fewer)
    if not spare or count * spare > _MOST_CHOICES:
        return list(range(count))
    cost = [0] * (spare + 1)
    """``cost[s]``: least cost so far after skipping ``s`` of ``more``."""
    choices: list[list[int]] = []
    for position, event in enumerate(fewer):
        best_skip = 0
        choice: list[int] = []
        following: list[int] = []
        for skipped in range(spare + 1):
            if cost[skipped] < cost[best_skip]:
                best_skip = skipped
            choice.append(best_skip)
            following.append(cost[best_skip] + abs(event.ms - more[position + skipped].ms))
        choices.append(choice)
        cost = following
    skipped = min(range(spare + 1), key=cost.__getitem__)
    places: list[int] = []
    for position in range(count - 1, -1, -1):
        places.append(position + skipped)
        skipped = choices[position][skipped]
    places.reverse()
    return places
