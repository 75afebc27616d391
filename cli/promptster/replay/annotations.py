"""Facts about entries that come from other events: which tools the provider ran, and what an agent left out.

Both use the fields that the wire has: a tool that the provider ran is in the answer that its call or its
result refers to; an ``agent_other`` says how much of a tool's output its agent did not keep.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from promptster.protocol.events import Source
from promptster.protocol.events.kinds import AgentOther, Command, ModelResponse, ToolCall, ToolResult
from promptster.replay.formatting import excerpt
from promptster.replay.json_values import as_list, as_object
from promptster.replay.model import OUTPUT_CUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from promptster.protocol.events import OpenedEvent
    from promptster.replay.model import Entry

RUN_BY_PROVIDER = "run by the provider"
"""The mark on a tool that the provider ran itself, and on what it brought."""
_RUN_THERE = frozenset({"server_tool_use", "mcp_tool_use"})
_RUN_HERE = frozenset({"function_call", "custom_tool_call", "local_shell_call"})


def run_by_provider(events: Iterable[OpenedEvent]) -> frozenset[int]:
    """``seq`` of every call and result of a tool that the provider ran."""
    answers: dict[int, ModelResponse] = {}
    found: set[int] = set()
    for event in events:
        said = event.event
        if isinstance(said, ModelResponse):
            answers[event.seq] = said
        elif event.src != Source.PROXY or not event.refs:
            continue
        elif isinstance(said, ToolResult) and any(ref in answers for ref in event.refs):
            found.update(event.seq if ref in answers else ref for ref in event.refs)
        elif isinstance(said, ToolCall):
            told = (answers[ref].content for ref in event.refs if ref in answers)
            if any(_ran(block, said.tool_use_id) for content in told for block in as_list(content)):
                found.add(event.seq)
    return frozenset(found)


def _ran(block: object, name: str | None) -> bool:
    """Whether a piece of an answer is the call of this name, run by whoever sent it."""
    piece = as_object(block) or {}
    kind = str(piece.get("type"))
    if not name or name not in {piece.get("id"), piece.get("call_id")}:
        return False
    is_here = bool(piece.get("call_id")) and piece.get("execution") != "server"
    return kind in _RUN_THERE or (kind.endswith("_call") and kind not in _RUN_HERE and not is_here)


def left_out(entries: Sequence[Entry]) -> Mapping[int, str]:
    """What to add to an entry whose output its agent did not keep whole, by its ``seq``."""
    told: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    owner = {seq: entry.seq for entry in entries for seq in entry.seqs}
    for entry in entries:
        match entry.event:
            case AgentOther(raw_kind=raw_kind, payload=payload) if raw_kind == OUTPUT_CUT:
                for ref in entry.refs:
                    told[owner.get(ref, ref)].append(as_object(payload) or {})
            case _:
                continue
    bearers: dict[int, Entry] = {}
    for entry in entries:
        call = entry.action
        if call in told and (
            isinstance(entry.event, Command) or (isinstance(entry.event, ToolResult) and call not in bearers)
        ):
            bearers[call] = entry
    return {entry.seq: _words(told[call]) for call, entry in bearers.items()}


_WORDS = {
    ("kept", "size"): "truncated by the agent: {0} of {1} {unit} kept",
    ("size",): "truncated by the agent: {0} {unit} in full",
    ("told",): "truncated by the agent: {0} in full",
    ("left_out",): "truncated by the agent: {0} {unit} left out",
}
"""What is said for what is known, the most telling first."""


def _words(facts: Sequence[Mapping[str, Any]]) -> str:
    for names, words in _WORDS.items():
        for fact in facts:
            numbers = [_worded(fact.get(name)) for name in names]
            if all(numbers):
                return words.format(*numbers, unit=fact.get("unit") or "characters")
    return "truncated by the agent"


def _worded(value: object) -> str:
    if isinstance(value, str):
        return excerpt(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else ""
