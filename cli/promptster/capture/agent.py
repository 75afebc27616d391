"""What capture needs to know about an agent: Protocols with defaults, and the types of their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

from msgspec import structs

from promptster.capture.providers.interface import ModelCall, ToolReturn, ToolUse, UserText, text_of
from promptster.protocol.events.base import Json, OfAgent
from promptster.protocol.events.choices import CallPurpose
from promptster.protocol.events.kinds import AgentEvent, AgentOther

Named = TypeVar("Named", bound=OfAgent)
"""Any event of an agent."""

SAME_WITHIN_MS = 1000
"""Two layers of settings that both contain our hook report one event within this time; people do not type so fast."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One conversation of one agent."""

    agent: str
    """The agent's name; empty when unknown."""
    session: str = ""
    """The agent's own session id."""
    agent_id: str = ""
    """The subagent's id; empty for the main conversation."""

    def named_in(self, event: Named) -> Named:
        """The event, with the fields that name this conversation."""
        return structs.replace(
            event,
            agent=self.agent or event.agent,
            agent_session=self.session or event.agent_session,
            agent_id=self.agent_id or event.agent_id,
        )


@dataclass(frozen=True, kw_only=True)
class GivenPrompt:
    """A prompt that the agent was given."""

    text: str
    """Its text, without what the agent puts around it."""
    machine: bool = False
    """Whether a program wrote it, such as a notification about a finished task."""
    is_guessed: bool = False
    """Whether ``machine`` is only a guess from the text's form."""
    images: tuple[Json, ...] = ()
    """The attachments, as sent."""
    is_hooked: bool = True
    """Whether the agent's hooks report such prompts too."""


class CommandEnd(NamedTuple):
    """How a command ended, as far as a report says."""

    cwd: str | None
    exit_code: int | None
    is_error: bool | None


class HookStage(StrEnum):
    """Whether a tool is about to run, has run, or neither."""

    CALL = "call"
    RESULT = "result"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class HookReport:
    """One hook payload that was read."""

    event: str
    """The agent's own name for the event."""
    identity: Identity
    """The conversation in which it happened."""
    findings: Sequence[AgentEvent]
    """The events to record, in order."""
    stage: HookStage = HookStage.OTHER
    """Whether a tool is about to run, has run, or neither."""
    tool_use_id: str = ""
    """The call it belongs to, as the provider names it."""
    key: tuple[str, ...] = ()
    """Distinguishes this event from all others of the conversation; empty if only the payload itself can."""
    is_short_lived: bool = False
    """Whether the key is unique only for a moment: prompts that wait in a queue share their turn's id."""
    pairing_key: tuple[str, ...] = ()
    """Equal in all hook events about one action, if not all of them name the call; otherwise empty."""
    awaits_end: bool = False
    """Whether a later report of the same call says how its command ended."""
    ended: CommandEnd | None = None
    """How the command of an earlier report ended."""
    call: ToolUse | None = None
    """The tool call, if the payload contains it."""
    asks: bool = False
    """Whether the candidate is asked to allow the call."""
    folder: str = ""
    """The folder in which it happened, if the payload names it."""


class NamesFiles(Protocol):
    """Knows which files a tool call may change; both readers of an agent have it."""

    def touches(self, call: ToolUse) -> Sequence[str]:
        """The files that a call may change, as far as its arguments name them."""
        del call
        return ()


class ReadsRequests(NamesFiles, Protocol):
    """How an agent uses a provider's API: which conversation a request belongs to, and what a person typed.

    The defaults are those of an unknown agent: every text is a prompt, and no tool call is understood.
    """

    tools: frozenset[str] = frozenset()
    """The tools whose calls are understood; calls of others are recorded too, and counted."""
    hooks_every_prompt: bool = False
    """Whether everything that a person types is reported by a hook before it is sent."""
    apis: tuple[str, ...] = ()
    """The provider APIs whose unknown callers are read as if they were this agent."""

    def recognises(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these header fields (names in lower case) comes from this agent."""
        del headers
        return False

    def identify(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Identity:
        """Which conversation a request belongs to."""
        del headers, body
        return Identity(agent="")

    def purpose(self, call: ModelCall, headers: Mapping[str, str], body: Mapping[str, Json]) -> CallPurpose:
        """Why the agent sends this request."""
        del call, headers, body
        return CallPurpose.WORK

    def prompts(self, run: Sequence[UserText]) -> Sequence[GivenPrompt]:
        """The prompts in consecutive texts of the user's role, without what the agent added."""
        return [GivenPrompt(text=item.text, images=item.images) for item in run if item.text or item.images]

    def resumes(self, item: UserText) -> bool:
        """Whether a user's text only asks the model to continue an answer that was cut off."""
        del item
        return False

    def summarises(self, item: UserText) -> bool:
        """Whether a user's text is the summary that replaces an earlier history."""
        del item
        return False

    def spawns(self, call: ToolUse) -> str | None:
        """The first message of the subagent that a tool call starts, if it starts one."""
        del call
        return None

    def task(self, run: Sequence[UserText]) -> str:
        """The message that starts a subagent, from the first texts of its conversation."""
        return "\n\n".join(prompt.text for prompt in self.prompts(run))

    def subagent_name(self, body: Mapping[str, Json]) -> str:
        """The name that other agents of the session use for the sender of a request, if it is not its id."""
        del body
        return ""

    def ended(self, text: str) -> tuple[str, str] | None:
        """The subagent (by id or name) that a text says has ended, and its result."""
        del text
        return None

    def reported_by_hooks(self, call: ToolUse, result: ToolReturn) -> bool:
        """Whether hooks report a call with this result, if the agent's hooks are on."""
        del call, result
        return False

    def actions(self, call: ToolUse, result: ToolReturn) -> Sequence[AgentEvent]:
        """The file edits and commands of a tool call, as far as the call and its result show them."""
        del call, result
        return ()


class ReadsHooks(NamesFiles, Protocol):
    """How an agent's hooks report what it does."""

    def owns(self, payload: Mapping[str, Json]) -> bool:
        """Whether a payload has a field that only this agent sends, whichever agent's hook delivered it."""
        del payload
        return False

    def read(self, payload: Mapping[str, Json]) -> HookReport:
        """Read one hook payload; an unknown event is recorded unchanged."""
        event = text_of(payload.get("hook_event_name")) or "unknown"
        identity = Identity(agent="", session=text_of(payload.get("session_id")))
        return HookReport(event=event, identity=identity, findings=[raw_finding(event, payload)])

    def pairing_key(self, call: ToolUse) -> tuple[str, ...]:
        """A key that is equal in all hook events about this call, if some of them do not name it; otherwise empty."""
        del call
        return ()


def raw_finding(event: str, payload: Mapping[str, Json]) -> AgentOther:
    """An event that contains a hook's payload unchanged."""
    return AgentOther(raw_kind=event, payload=dict(payload))
