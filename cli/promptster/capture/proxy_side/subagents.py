"""Subagents as the proxy sees them: which tool call started each, and its first message, which the agent wrote."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster.protocol.events import Source
from promptster.protocol.events.kinds import SubagentStarted, SubagentStopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.capture.agent import Identity, ReadsRequests
    from promptster.capture.draft_writer import DraftWriter
    from promptster.capture.lanes import Lanes
    from promptster.capture.proxy_side.conversation import Turn

_EXPECTED_KEPT = 1_000
_SAME_KEPT = 64


@dataclass(kw_only=True)
class _Expected:
    tool_use_id: str
    seq: int | None
    begun: bool = False


class Subagents:
    """Matches subagents with the calls that start them, and records their start and end."""

    def __init__(self, writer: DraftWriter, lanes: Lanes) -> None:
        self._writer = writer
        self._lanes = lanes
        self._expected: OrderedDict[tuple[str, str, str], deque[_Expected]] = OrderedDict()
        """The calls that start subagents, in order, by agent, session and first message."""
        self._begun: set[Identity] = set()
        self._beginnings: dict[Identity, str] = {}
        self._names: dict[tuple[str, str, str], Identity] = {}
        self._ended: set[tuple[Identity, str]] = set()

    def expect(self, parent: Identity, message: str, tool_use_id: str, seq: int | None) -> None:
        """Expect the subagent that a tool call starts with this message."""
        same = self._expected.setdefault((parent.agent, parent.session, message.strip()), deque(maxlen=_SAME_KEPT))
        same.append(_Expected(tool_use_id=tool_use_id, seq=seq))
        if len(self._expected) > _EXPECTED_KEPT:
            self._expected.popitem(last=False)

    def restore_start(self, identity: Identity, tool_use_id: str) -> None:
        """Restore from the journal that a subagent has begun, started by this call."""
        self._begun.add(identity)
        for expected in (expected for same in self._expected.values() for expected in same):
            expected.begun = expected.begun or expected.tool_use_id == tool_use_id

    def restore_end(self, identity: Identity, text: str) -> None:
        """Restore from the journal that a subagent has ended with this text."""
        self._ended.add((identity, text))

    def call(self, identity: Identity, name: str) -> None:
        """Remember the name that a subagent has in its session."""
        if name and identity.agent_id:
            self._names[(identity.agent, identity.session, name)] = identity

    def place(self, identity: Identity, turn: Turn) -> Identity:
        """The conversation of a request that is the candidate's work.

        If an agent does not name its subagents, they are recognized by their first message, unless the main
        conversation began with the same prompts. Conversations of unknown agents are distinguished by their beginning.
        """
        if not identity.agent and not identity.session:
            return dataclasses.replace(identity, session=f"begins-{turn.beginning[:32]}")
        if identity.agent_id or self._beginnings.setdefault(identity, turn.beginning) == turn.beginning:
            return identity
        same = self._find(identity, turn)
        return dataclasses.replace(identity, agent_id=same[-1].tool_use_id) if same else identity

    def began(self, identity: Identity, turn: Turn) -> int | None:
        """Record the start of a subagent at its first request, and return the event's ``seq``."""
        if identity in self._begun:
            return None
        self._begun.add(identity)
        expected = _next_of(self._find(identity, turn), identity)
        started = SubagentStarted(prompt=turn.task or None, tool_use_id=expected.tool_use_id if expected else None)
        refs = (expected.seq,) if expected else ()
        lane = self._lanes.number(identity)
        return self._writer.write(Source.PROXY, identity.named_in(started), lane=lane, refs=refs)

    def ended(self, agent: ReadsRequests, identity: Identity, turn: Turn) -> None:
        """Record the subagents that ended according to a request's new texts, each once for the same result."""
        for text in turn.closing:
            name, brought = agent.ended(text) or ("", "")
            by_id = dataclasses.replace(identity, agent_id=name)
            subagent = self._names.get((identity.agent, identity.session, name), by_id)
            if name and subagent in self._begun and (subagent, brought) not in self._ended:
                self._ended.add((subagent, brought))
                stopped = subagent.named_in(SubagentStopped(text=brought or None))
                self._writer.write(Source.PROXY, stopped, lane=self._lanes.number(subagent))

    def _find(self, identity: Identity, turn: Turn) -> Sequence[_Expected]:
        for text in (*turn.opening, turn.task):
            same = self._expected.get((identity.agent, identity.session, text.strip()))
            if same is not None:
                return same
        return ()


def _next_of(same: Sequence[_Expected], identity: Identity) -> _Expected | None:
    """The call that started a subagent: the one with the subagent's id, else the oldest not matched yet."""
    named = (expected for expected in same if expected.tool_use_id == identity.agent_id)
    waiting = (expected for expected in same if not expected.begun)
    expected = next(named, None) or next(waiting, same[-1] if same else None)
    if expected is not None:
        expected.begun = True
    return expected
