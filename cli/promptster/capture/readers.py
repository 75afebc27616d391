"""The agents that capture can read. They are passed in: capture imports no agent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from promptster.capture.providers.interface import load, mapping, text_of
from promptster.capture.unnamed import DisguisedRequests, UnknownHooks, UnknownRequests

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from promptster.capture.agent import HookReport, ReadsHooks, ReadsRequests
    from promptster.capture.providers.interface import ToolUse
    from promptster.protocol.events.base import Json


@dataclass(frozen=True, kw_only=True)
class AgentReader:
    """The parts of one agent that capture needs."""

    id: str
    """The agent's id in events and hook frames."""
    requests: ReadsRequests = field(default_factory=UnknownRequests)
    hooks: ReadsHooks = field(default_factory=UnknownHooks)


class AgentReaders:
    """Finds the reader for a request or a hook."""

    def __init__(self, agents: Sequence[AgentReader], *, hooked: Collection[str] = ()) -> None:
        """Set the agents.

        Args:
            agents: the readers; if several recognise a request, the first one is used.
            hooked: the ids of agents that have both requests and hooks, so that silent hooks can be noticed.
        """
        self.hooked = frozenset(hooked)
        self._by_id = {agent.id: agent for agent in agents}
        self._disguised = {
            api: DisguisedRequests(agent.requests) for agent in reversed(agents) for api in agent.requests.apis
        }
        self._unknown = AgentReader(id="")

    def of_request(self, headers: Mapping[str, str], api: str) -> ReadsRequests:
        """The reader for a request with these header fields (names in lower case) to the API of this name."""
        known = (agent.requests for agent in self._by_id.values() if agent.requests.recognises(headers))
        return next(known, self._disguised.get(api, self._unknown.requests))

    def requests(self, agent: str, api: str = "") -> ReadsRequests:
        """The request reader of the agent with this id; for another id, that of an unknown caller of the API."""
        known = self._by_id.get(agent)
        return known.requests if known else self._disguised.get(api, self._unknown.requests)

    def hooks(self, agent: str) -> ReadsHooks:
        """The hook reader of the agent with this id."""
        return self._by_id.get(agent, self._unknown).hooks

    def touches(self, agent: str, call: ToolUse) -> Sequence[str]:
        """The files that a call reported by a hook may change."""
        return self.hooks(agent).touches(call)

    def read_hook(self, agent: str, payload: bytes) -> HookReport | None:
        """Read a payload that this agent's hook delivered; ``None`` if it is not a JSON object.

        An agent may run hooks that were installed for another one, so characteristic fields of the payload decide.
        """
        body: Mapping[str, Json] = mapping(load(payload))
        if not body:
            return None
        owner = next((each.hooks for each in self._by_id.values() if each.hooks.owns(body)), self.hooks(agent))
        return replace(owner.read(body), folder=text_of(body.get("cwd")))
