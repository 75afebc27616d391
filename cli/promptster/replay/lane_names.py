"""The conversations of a session, with names for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from promptster.protocol.agents import CATALOGUE
from promptster.replay.formatting import one_line
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
        agent = _first_text(by_lane[number], "agent") if number != SESSION_LANE else None
        lanes.append(
            Lane(
                number=number,
                name=f"{name} {seen[name]}" if repeated[name] > 1 else name,
                agent=agent,
                parent=_parent(number, by_lane[number], conversations),
                first_seq=by_lane[number][0].seq,
                entries=len(by_lane[number]),
            )
        )
    return tuple(lanes)


def _first_text(entries: Iterable[Entry], name: str) -> str | None:
    return next((value for entry in entries if isinstance(value := entry.fields.get(name), str) and value), None)


def _subagent_types(entries: Iterable[Entry]) -> dict[str, str]:
    """Subagent id -> its type, from whichever event names it."""
    types: dict[str, str] = {}
    for entry in entries:
        agent_id, agent_type = entry.fields.get("agent_id"), entry.fields.get("agent_type")
        if isinstance(agent_id, str) and isinstance(agent_type, str) and agent_type:
            types.setdefault(agent_id, agent_type)
    return types


def _subagent(entries: Sequence[Entry]) -> str | None:
    """The subagent that a lane belongs to: the one that its entries name, if they all do."""
    named = {value for entry in entries if isinstance(value := entry.fields.get("agent_id"), str) and value}
    everyone = all(entry.fields.get("agent_id") for entry in entries if entry.fields.get("agent_session"))
    return next(iter(named)) if len(named) == 1 and everyone else None


def _name(number: int, entries: Sequence[Entry], types: dict[str, str]) -> str:
    if number == SESSION_LANE:
        return "Session"
    agent = _first_text(entries, "agent")
    name = AGENT_NAMES.get(agent or "") or one_line(agent or "Agent", _NAME_LIMIT)
    subagent = _subagent(entries)
    if subagent is None:
        return name
    return f"{name}, subagent {one_line(types[subagent], _NAME_LIMIT)}" if subagent in types else f"{name}, subagent"


def _main_lanes(by_lane: dict[int, list[Entry]]) -> dict[str, int]:
    """Agent session -> the lane of its main conversation."""
    lanes: dict[str, int] = {}
    for number in sorted(by_lane):
        session = _first_text(by_lane[number], "agent_session")
        if session and number != SESSION_LANE and _subagent(by_lane[number]) is None:
            lanes.setdefault(session, number)
    return lanes


def _parent(number: int, entries: Sequence[Entry], conversations: dict[str, int]) -> int | None:
    if number == SESSION_LANE or _subagent(entries) is None:
        return None
    return conversations.get(_first_text(entries, "agent_session") or "")
