"""What capture asks of an agent, as Protocols with defaults, and the nouns in which the answers are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

from msgspec import structs

from promptster.capture.providers.interface import Json, ModelCall, ToolResult, ToolUse, UserText, text_of
from promptster.protocol.events.base import OfAgent
from promptster.protocol.events.kinds import AgentEvent, AgentOther

Purpose = Literal["work", "title", "classifier", "compaction", "other"]
"""Why an agent calls a model; only ``work`` is the candidate's."""


Named = TypeVar("Named", bound=OfAgent)
"""Any event of an agent."""

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

    def named_in(self, event: Named) -> Named:
        """The event, with the conversation that it belongs to."""
        return structs.replace(
            event,
            agent=self.agent or event.agent,
            agent_session=self.session or event.agent_session,
            agent_id=self.agent_id or event.agent_id,
        )


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


class CommandEnd(NamedTuple):
    """How a command ended, as far as a report says."""

    cwd: str | None
    exit_code: int | None
    is_error: bool | None


Stage = Literal["call", "result", "other"]


@dataclass(frozen=True, kw_only=True)
class HookReport:
    """One hook payload, understood."""

    event: str
    """The agent's own name of the event."""
    identity: Identity
    """Where it happened."""
    findings: Sequence[AgentEvent]
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
    ended: CommandEnd | None = None
    """How a command ended, for a report of it that came before."""
    call: ToolUse | None = None
    """The tool call, when the payload holds it."""
    asks: bool = False
    """Whether the person at the keyboard is asked to allow the call."""
    folder: str = ""
    """Where it happened, if the payload says so."""


class NamesFiles(Protocol):
    """What both of an agent's readers may know."""

    def touches(self, call: ToolUse) -> Sequence[str]:
        """The files that a call may change, as far as its arguments name them."""
        del call
        return ()


class ReadsRequests(NamesFiles, Protocol):
    """How an agent uses a provider's API: whose request it is, and what of it a person typed.

    The defaults are those of an unknown agent: every text is a prompt, and no tool call is understood.
    """

    tools: frozenset[str] = frozenset()
    """The tools whose calls are understood; others are recorded as well, and counted."""
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

    def purpose(self, call: ModelCall, headers: Mapping[str, str], body: Mapping[str, Json]) -> Purpose:
        """Why the agent sends this request."""
        del call, headers, body
        return "work"

    def prompts(self, run: Sequence[UserText]) -> Sequence[Prompt]:
        """The words in texts that follow each other in the user's role, without what the agent added."""
        return [Prompt(text=item.text, images=item.images) for item in run if item.text or item.images]

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
        """The words that start a subagent, in the first texts of its conversation."""
        return "\n\n".join(prompt.text for prompt in self.prompts(run))

    def subagent_name(self, body: Mapping[str, Json]) -> str:
        """What other agents of the session call the sender of a request, if that is not its id."""
        del body
        return ""

    def ended(self, text: str) -> tuple[str, str] | None:
        """The subagent (by id or name) that a text says has ended, and its result."""
        del text
        return None

    def hooks_tell(self, call: ToolUse, result: ToolResult) -> bool:
        """Whether a call with this result has hooks, if the agent's hooks are on."""
        del call, result
        return False

    def actions(self, call: ToolUse, result: ToolResult) -> Sequence[AgentEvent]:
        """The file edits and commands of a tool call, as far as the call and its result show them."""
        del call, result
        return ()


class ReadsHooks(NamesFiles, Protocol):
    """How an agent's hooks report what it does."""

    def owns(self, payload: Mapping[str, Json]) -> bool:
        """Whether a payload is this agent's by a mark of its own, whichever agent's hook delivered it."""
        del payload
        return False

    def read(self, payload: Mapping[str, Json]) -> HookReport:
        """Read one hook payload; an unknown event is kept as it came."""
        event = text_of(payload.get("hook_event_name")) or "unknown"
        identity = Identity(agent="", session=text_of(payload.get("session_id")))
        return HookReport(event=event, identity=identity, findings=[raw_finding(event, payload)])

    def twin(self, call: ToolUse) -> tuple[str, ...]:
        """What all hook events about this call say alike, if some of them do not name it; empty elsewhere."""
        del call
        return ()


def raw_finding(event: str, payload: Mapping[str, Json]) -> AgentOther:
    """A hook event that is kept as it came."""
    return AgentOther(raw_kind=event, payload=dict(payload))
