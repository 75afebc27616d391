"""Subagents seen by the proxy: which tool call started them, and their first message, which no candidate typed."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from promptster.capture.agents.interface import Agent, Identity
    from promptster.capture.conversation import Turn
    from promptster.capture.lanes import Lanes
    from promptster.capture.scribe import Scribe

_EXPECTED_KEPT = 1_000


class _Expected(NamedTuple):
    tool_use_id: str
    seq: int | None


class Subagents:
    """Expected first messages by session, and the subagents that have begun."""

    def __init__(self, scribe: Scribe, lanes: Lanes) -> None:
        self._scribe = scribe
        self._lanes = lanes
        self._expected: OrderedDict[tuple[str, str, str], _Expected] = OrderedDict()
        self._begun: set[Identity] = set()
        self._beginnings: dict[Identity, str] = {}
        self._names: dict[tuple[str, str, str], Identity] = {}
        self._ended: set[tuple[Identity, str]] = set()

    def expect(self, parent: Identity, message: str, tool_use_id: str, seq: int | None) -> None:
        """A tool call starts a subagent with this message."""
        self._expected[(parent.agent, parent.session, message.strip())] = _Expected(tool_use_id, seq)
        if len(self._expected) > _EXPECTED_KEPT:
            self._expected.popitem(last=False)

    def learn_begun(self, identity: Identity) -> None:
        """Take over from the journal that a subagent has begun."""
        self._begun.add(identity)

    def learn_ended(self, identity: Identity, text: str) -> None:
        """Take over from the journal that a subagent has ended with these words."""
        self._ended.add((identity, text))

    def call(self, identity: Identity, name: str) -> None:
        """A conversation has a name in its session."""
        if name and identity.agent_id:
            self._names[(identity.agent, identity.session, name)] = identity

    def place(self, identity: Identity, turn: Turn) -> Identity:
        """Where a request that is the candidate's work belongs.

        Agents that do not name their subagents are told by the first message, unless the main conversation began with
        the same words; conversations of unknown agents are told apart by how they begin.
        """
        if not identity.agent and not identity.session:
            return dataclasses.replace(identity, session=f"begins-{turn.beginning[:32]}")
        if identity.agent_id or self._beginnings.setdefault(identity, turn.beginning) == turn.beginning:
            return identity
        expected = self._find(identity, turn)
        return dataclasses.replace(identity, agent_id=expected.tool_use_id) if expected else identity

    def began(self, identity: Identity, turn: Turn) -> int | None:
        """A subagent asks its model; its beginning is told once."""
        if identity in self._begun:
            return None
        self._begun.add(identity)
        expected = self._find(identity, turn)
        fields = {
            "prompt": turn.task or None,
            "tool_use_id": expected.tool_use_id if expected else None,
            **identity.fields(),
        }
        refs = (expected.seq,) if expected else ()
        return self._scribe.write("proxy", "subagent_started", fields, lane=self._lanes.number(identity), refs=refs)

    def ended(self, agent: Agent, identity: Identity, turn: Turn) -> None:
        """Tell of the subagents that a request's new texts say have ended, each with the same words once."""
        for text in turn.closing:
            name, brought = agent.ended(text) or ("", "")
            by_id = dataclasses.replace(identity, agent_id=name)
            subagent = self._names.get((identity.agent, identity.session, name), by_id)
            if name and subagent in self._begun and (subagent, brought) not in self._ended:
                self._ended.add((subagent, brought))
                fields = {"text": brought or None, **subagent.fields()}
                self._scribe.write("proxy", "subagent_stopped", fields, lane=self._lanes.number(subagent))

    def _find(self, identity: Identity, turn: Turn) -> _Expected | None:
        for text in (*turn.opening, turn.task):
            expected = self._expected.get((identity.agent, identity.session, text.strip()))
            if expected is not None:
                return expected
        return None
