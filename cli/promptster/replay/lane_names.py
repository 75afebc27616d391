"""The conversations of a session, with names for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from promptster.protocol.agents import CATALOGUE
from promptster.protocol.events.base import OfAgent
from promptster.protocol.events.kinds import SubagentStarted, SubagentStopped, agent_of
from promptster.replay.formatting import excerpt
from promptster.replay.model import Entry, Lane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AGENT_NAMES = {agent.id: agent.name for agent in CATALOGUE}
SESSION_LANE = 0
_NAME_LIMIT = 60


def find_lanes(entries: Sequence[Entry]) -> tuple[Lane, ...]:
    """Every lane that has entries, ascending; equal names are numbered."""
    by_lane: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_lane[entry.lane].append(entry)
    conversations = _main_lanes(by_lane)
    types = _subagent_types(entries)
    names = {number: _name(number, members, types) for number, members in by_lane.items()}
    repeated = Counter(names.values())
    seen: Counter[str] = Counter()
    lanes: list[Lane] = []
    for number in sorted(by_lane):
        name = names[number]
        seen[name] += 1
        agent = _first(agent_of(entry.event) for entry in by_lane[number]) if number != SESSION_LANE else None
        lanes.append(
            Lane(
                number=number,
                name=f"{name} {seen[name]}" if repeated[name] > 1 else name,
                agent=agent,
                parent=_parent(number, by_lane[number], conversations),
                entries=len(by_lane[number]),
            )
        )
    return tuple(lanes)


def _first(texts: Iterable[str | None]) -> str | None:
    return next((text for text in texts if text), None)


def _agent_session(entry: Entry) -> str | None:
    return entry.event.agent_session if isinstance(entry.event, OfAgent) else None


def _agent_id(entry: Entry) -> str | None:
    return entry.event.agent_id if isinstance(entry.event, OfAgent) else None


def _subagent_types(entries: Iterable[Entry]) -> dict[str, str]:
    """Subagent id -> its type, from whichever event names it."""
    types: dict[str, str] = {}
    for entry in entries:
        match entry.event:
            case SubagentStarted(agent_id=str(agent_id), agent_type=str(agent_type)) if agent_type:
                types.setdefault(agent_id, agent_type)
            case SubagentStopped(agent_id=str(agent_id), agent_type=str(agent_type)) if agent_type:
                types.setdefault(agent_id, agent_type)
            case _:
                continue
    return types


def _subagent(entries: Sequence[Entry]) -> str | None:
    """The subagent that a lane belongs to: the one that its entries name, if they all do."""
    named = {agent_id for entry in entries if (agent_id := _agent_id(entry))}
    everyone = all(_agent_id(entry) for entry in entries if _agent_session(entry))
    return next(iter(named)) if len(named) == 1 and everyone else None


def _name(number: int, entries: Sequence[Entry], types: dict[str, str]) -> str:
    if number == SESSION_LANE:
        return "Session"
    agent = _first(agent_of(entry.event) for entry in entries)
    name = AGENT_NAMES.get(agent or "") or excerpt(agent or "Agent", _NAME_LIMIT)
    subagent = _subagent(entries)
    if subagent is None:
        return name
    return f"{name}, subagent {excerpt(types[subagent], _NAME_LIMIT)}" if subagent in types else f"{name}, subagent"


def _main_lanes(by_lane: dict[int, list[Entry]]) -> dict[str, int]:
    """Agent session -> the lane of its main conversation."""
    lanes: dict[str, int] = {}
    for number in sorted(by_lane):
        session = _first(map(_agent_session, by_lane[number]))
        if session and number != SESSION_LANE and _subagent(by_lane[number]) is None:
            lanes.setdefault(session, number)
    return lanes


def _parent(number: int, entries: Sequence[Entry], conversations: dict[str, int]) -> int | None:
    if number == SESSION_LANE or _subagent(entries) is None:
        return None
    return conversations.get(_first(map(_agent_session, entries)) or "")
