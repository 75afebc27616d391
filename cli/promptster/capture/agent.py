"""What the engine asks of an agent's module, and the nouns in which it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from promptster.capture.providers.interface import Json, ModelCall, ToolResult, ToolUse, UserText

Purpose = Literal["work", "title", "classifier", "compaction", "other"]
"""Why an agent calls a model; only ``work`` is the candidate's."""


SAME_WITHIN_MS = 1000
"""Two layers of settings that both hold our hook report one event this close together; people do not type so fast."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One conversation of one agent."""

    agent: str
    """The agent's name; empty when unknown."""
    session: str = ""
    """The agent's own session id."""
    agent_id: str = ""
    """The subagent's id; empty for the main conversation."""

    def fields(self) -> dict[str, object]:
        """As fields of an event."""
        named = {"agent": self.agent, "agent_session": self.session, "agent_id": self.agent_id}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Words given to the agent."""

    text: str
    """The words alone, without what the agent puts around them."""
    machine: bool = False
    """Whether a machine wrote them, such as a notification about a finished task."""
    is_guessed: bool = False
    """Whether only the look of them says that."""
    images: tuple[Json, ...] = ()
    """What was attached, as sent."""
    is_hooked: bool = True
    """Whether the agent's hooks report such words too."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something to be recorded: a kind of event and its fields; fields that are ``None`` are left out."""

    kind: str
    fields: Mapping[str, object] = field(default_factory=dict[str, object])


Stage = Literal["call", "result", "other"]


@dataclass(frozen=True, kw_only=True)
class HookReport:
    """One hook payload, understood."""

    event: str
    """The agent's own name of the event."""
    identity: Identity
    """Where it happened."""
    findings: Sequence[Finding]
    """What is to be recorded, in order."""
    stage: Stage = "other"
    """Whether a tool is about to run, has run, or neither."""
    tool_use_id: str = ""
    """The call it belongs to, as the provider names it."""
    key: tuple[str, ...] = ()
    """Tells this event from every other one of the conversation; empty when only the payload itself can."""
    is_short_lived: bool = False
    """Whether the key tells events apart only for a moment: words that wait in a queue share their turn's id."""
    twin: tuple[str, ...] = ()
    """What all hook events about one action say alike, where not all of them name the call; empty elsewhere."""
    awaits_end: bool = False
    """Whether a later report of the same call says how the command ended that this one tells of."""
    ended: Mapping[str, object] | None = None
    """How a command ended, for a report of it that came before."""
    call: ToolUse | None = None
    """The tool call, when the payload holds it."""
    asks: bool = False
    """Whether the person at the keyboard is asked to allow the call."""
    folder: str = ""
    """Where it happened, if the payload says so."""


class Agent(Protocol):
    """One agent's habits."""

    name: str
    """As in hook addresses and in events."""
    tools: frozenset[str]
    """The tools whose calls are understood; others are recorded as well, and counted."""
    hooks_every_prompt: bool
    """Whether everything that a person types is reported by a hook before it is sent."""

    def recognises(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these header fields comes from this agent."""
        ...

    def identify(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Identity:
        """Which conversation a request belongs to."""
        ...

    def purpose(self, call: ModelCall, headers: Mapping[str, str], body: Mapping[str, Json]) -> Purpose:
        """Why the agent sends this request."""
        ...

    def prompts(self, run: Sequence[UserText]) -> Sequence[Prompt]:
        """The words in texts that follow each other in the user's role, without what the agent added."""
        ...

    def resumes(self, item: UserText) -> bool:
        """Whether a user's text only asks the model to go on with an answer that was cut off."""
        ...

    def summarises(self, item: UserText) -> bool:
        """Whether a user's text is the summary that replaces an earlier history."""
        ...

    def spawns(self, call: ToolUse) -> str | None:
        """The first message of the subagent that a tool call starts, if it starts one."""
        ...

    def task(self, run: Sequence[UserText]) -> str:
        """The words that start a subagent, in the first texts of its conversation."""
        ...

    def subagent_name(self, body: Mapping[str, Json]) -> str:
        """What other agents of the session call the sender of a request, where that is not its id."""
        ...

    def ended(self, text: str) -> tuple[str, str] | None:
        """The subagent (by id or name) that a text says has ended, and what it brought."""
        ...

    def hooks_tell(self, call: ToolUse, result: ToolResult) -> bool:
        """Whether a call with this result has hooks, if the agent's hooks are on."""
        ...

    def actions(self, call: ToolUse, result: ToolResult) -> Sequence[Finding]:
        """The file edits and commands behind a tool call and its result, as far as these two tell."""
        ...

    def touches(self, call: ToolUse) -> Sequence[str]:
        """The files that a call may change, as far as its arguments name them."""
        ...

    def hook(self, payload: Mapping[str, Json]) -> HookReport:
        """Read one hook payload; an unknown event is kept raw."""
        ...


def raw_finding(event: str, payload: Mapping[str, Json]) -> Finding:
    """A hook event that is kept as it came."""
    return Finding(kind="agent_other", fields={"raw_kind": event, "payload": dict(payload)})
