"""The closed list of kinds: one class for each, whose attributes are the fields that it may carry.

A field's name has one type everywhere. What the wire, the policy and the documentation need to know of kinds and fields
is derived from the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias, get_args

from promptster.protocol.errors import EventError
from promptster.protocol.events.base import FieldType, Json, OfAgent, Recorded, field_types
from promptster.protocol.kind_names import Kind as Kind  # noqa: PLC0414 - part of this module for all that load it


class Opened(Recorded, tag="opened"):
    """The recorder began."""

    cli_version: str | None = None
    platform: str | None = None
    choices: Json = None
    """What the candidate chose at the start."""
    continues: str | None = None
    """The session that this one continues."""
    path_check: Json = None
    brief: str | None = None
    """The task's text, as the candidate was shown it."""
    brief_sha256: str | None = None


class Paused(Recorded, tag="paused"):
    """Recording paused."""

    reason: str | None = None


class Resumed(Recorded, tag="resumed"):
    """Recording resumed."""

    reason: str | None = None


class Closed(Recorded, tag="closed"):
    """The session ended: nothing follows."""

    totals: Json = None
    """Events by source."""
    batches: int | None = None


class Consented(Recorded, tag="consent"):
    """The candidate agreed to be recorded."""

    policy_sha256: str | None = None
    choices: Json = None
    locale: str | None = None
    decided_ms: int | None = None


class Prompt(OfAgent, tag="prompt"):
    """What the agent was asked."""

    text: str | None = None
    prompt_id: str | None = None
    images: Json = None
    machine: bool | None = None
    """Whether a program wrote it, not the candidate."""


class ModelRequest(OfAgent, tag="model_request"):
    """What the agent sent to the model."""

    provider: str | None = None
    request_path: str | None = None
    model: str | None = None
    purpose: str | None = None
    body: Json = None
    body_raw: bytes | None = None
    """The body, if it is not JSON."""
    stream: bool | None = None
    request_sha256: str | None = None


class ModelResponse(OfAgent, tag="model_response"):
    """What the model answered."""

    attempt: int | None = None
    outcome: str | None = None
    status: int | None = None
    text: str | None = None
    thinking: str | None = None
    tool_use_ids: Json = None
    stop_reason: str | None = None
    model: str | None = None
    response_id: str | None = None
    usage: Json = None
    error: Json = None
    retry_after: str | None = None
    first_byte_ms: int | None = None
    duration_ms: int | None = None
    content: Json = None
    """The answer's blocks."""


class ToolCall(OfAgent, tag="tool_call"):
    """A tool that the agent runs."""

    tool_use_id: str | None = None
    name: str | None = None
    input: Json = None


class ToolResult(OfAgent, tag="tool_result"):
    """What a tool returned."""

    tool_use_id: str | None = None
    name: str | None = None
    content: Json = None
    is_error: bool | None = None
    duration_ms: int | None = None


class FileEdit(OfAgent, tag="file_edit"):
    """An agent's edit of one file."""

    tool_use_id: str | None = None
    path: str | None = None
    operation: str | None = None
    before: str | None = None
    after: str | None = None
    patch: str | None = None


class Command(OfAgent, tag="command"):
    """A command that an agent ran."""

    tool_use_id: str | None = None
    command: str | None = None
    cwd: str | None = None
    exit_code: int | None = None
    output: str | None = None
    error_output: str | None = None
    is_error: bool | None = None
    duration_ms: int | None = None


class SubagentStarted(OfAgent, tag="subagent_started"):
    """An agent started a subagent."""

    agent_type: str | None = None
    prompt: str | None = None
    tool_use_id: str | None = None


class SubagentStopped(OfAgent, tag="subagent_stopped"):
    """A subagent finished."""

    agent_type: str | None = None
    text: str | None = None


class Permission(OfAgent, tag="permission"):
    """A question to the person at the keyboard, or its answer."""

    tool_use_id: str | None = None
    name: str | None = None
    input: Json = None
    decision: str | None = None
    mode: str | None = None


class Compaction(OfAgent, tag="compaction"):
    """An agent replaced a conversation by its summary."""

    trigger: str | None = None
    text: str | None = None


class Note(Recorded, tag="note"):
    """What the candidate wrote for the reviewer."""

    text: str | None = None


class SubmissionBaseline(Recorded, tag="submission_baseline"):
    """What the workspace held at the start."""

    commit: str | None = None
    tree: str | None = None
    manifest: Json = None
    repository: str | None = None


class SubmissionFinal(Recorded, tag="submission_final"):
    """What was submitted, against the baseline."""

    commit: str | None = None
    tree: str | None = None
    manifest: Json = None
    diff: str | None = None


class Redaction(Recorded, tag="redaction"):
    """The candidate took a field's value out of the record."""

    target_seq: int | None = None
    target_field: str | None = None
    reason: str | None = None


class AgentOther(OfAgent, tag="agent_other"):
    """Anything else that an agent reported."""

    raw_kind: str | None = None
    payload: Json = None


class CaptureHeartbeat(Recorded, tag="capture_heartbeat"):
    """The recorder runs."""

    counts: Json = None


class CaptureHookSilent(Recorded, tag="capture_hook_silent"):
    """A tool call that no hook reported."""

    tool_use_id: str | None = None
    name: str | None = None
    agent: str | None = None


class CaptureBypassSuspected(Recorded, tag="capture_bypass_suspected"):
    """An agent may have gone around the recorder."""

    detail: str | None = None


class CaptureConfigChanged(Recorded, tag="capture_config_changed"):
    """A setting that recording relies on changed."""

    path_name: str | None = None
    detail: str | None = None


class CaptureDegraded(Recorded, tag="capture_degraded"):
    """The extent of recording changed."""

    detail: str | None = None


class CaptureGap(Recorded, tag="capture_gap"):
    """Events were lost."""

    source: str | None = None
    detail: str | None = None
    lost: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None


class CaptureClockJump(Recorded, tag="capture_clock_jump"):
    """The computer's clock was set."""

    delta_ms: int | None = None


class CaptureUpstreamOverridden(Recorded, tag="capture_upstream_overridden"):
    """Traffic goes to another address than the provider's usual one."""

    upstream: str | None = None
    url: str | None = None


class CaptureRecovered(Recorded, tag="capture_recovered"):
    """The recorder started again after it ended out of order."""

    detail: str | None = None
    lost: int | None = None


AgentEvent: TypeAlias = (
    Prompt
    | ModelRequest
    | ModelResponse
    | ToolCall
    | ToolResult
    | FileEdit
    | Command
    | SubagentStarted
    | SubagentStopped
    | Permission
    | Compaction
    | AgentOther
)
"""What an agent did: the kinds of ``OfAgent``."""

SessionEvent: TypeAlias = (
    Opened
    | Paused
    | Resumed
    | Closed
    | Consented
    | Note
    | SubmissionBaseline
    | SubmissionFinal
    | Redaction
    | CaptureHeartbeat
    | CaptureHookSilent
    | CaptureBypassSuspected
    | CaptureConfigChanged
    | CaptureDegraded
    | CaptureGap
    | CaptureClockJump
    | CaptureUpstreamOverridden
    | CaptureRecovered
)
"""How the session itself went."""

Event: TypeAlias = AgentEvent | SessionEvent
"""Everything that can be recorded. A ``match`` over it ends with ``assert_never``."""

TYPES: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {kind: each for kind in map(str, Kind) for each in get_args(Event) if each.__struct_config__.tag == kind}
)
"""The class of each kind, by its name on the wire, in the order in which policies name them."""

KINDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {kind: frozenset(event_type.__struct_fields__) for kind, event_type in TYPES.items()}
)
"""The field names that each kind may carry."""

FIELD_TYPES: Final[Mapping[str, FieldType]] = MappingProxyType(field_types(TYPES))
"""Every field's name and type. ``content`` is a JSON string in tool results and a list of blocks in responses."""

AGENT_KINDS: Final = frozenset(kind for kind, event_type in TYPES.items() if issubclass(event_type, OfAgent))
"""Kinds that say what an agent did; each may carry the fields of ``OfAgent``."""

SESSION_KINDS: Final = frozenset(TYPES) - AGENT_KINDS
"""Kinds about the session itself: its course, its consent, its submission, and how well capture worked."""


def event_of(kind: str, fields: Mapping[str, Any]) -> Event:
    """The event of a kind that is known by name, from its fields.

    Raises:
        EventError: when there is no such kind, or it has no such field.
    """
    event_type = TYPES.get(kind)
    if event_type is None:
        raise EventError("an event's kind is not in the list", code="event_kind", fault="local")
    if unknown := fields.keys() - KINDS[kind]:
        raise EventError(f"{kind} has no field {min(unknown)}", code="event_field", fault="local")
    return event_type(**fields)


def agent_of(event: Event) -> str | None:
    """The agent that an event names."""
    return event.agent if isinstance(event, (OfAgent, CaptureHookSilent)) else None
