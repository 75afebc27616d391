"""The closed lists of sources, kinds and fields. A field's name has one type everywhere."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

FieldType = Literal["text", "json", "int", "bool", "bytes"]


class Source(enum.StrEnum):
    """Who saw what an event tells."""

    PROXY = "proxy"
    HOOK = "hook"
    LAUNCHER = "launcher"
    WORKSPACE = "workspace"
    CANDIDATE = "candidate"
    RECORDER = "recorder"


class Kind(enum.StrEnum):
    """What an event tells."""

    OPENED = "opened"
    PAUSED = "paused"
    RESUMED = "resumed"
    CLOSED = "closed"
    CONSENT = "consent"
    PROMPT = "prompt"
    MODEL_REQUEST = "model_request"
    MODEL_RESPONSE = "model_response"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    FILE_EDIT = "file_edit"
    COMMAND = "command"
    SUBAGENT_STARTED = "subagent_started"
    SUBAGENT_STOPPED = "subagent_stopped"
    PERMISSION = "permission"
    COMPACTION = "compaction"
    NOTE = "note"
    SUBMISSION_BASELINE = "submission_baseline"
    SUBMISSION_FINAL = "submission_final"
    REDACTION = "redaction"
    AGENT_OTHER = "agent_other"
    CAPTURE_HEARTBEAT = "capture_heartbeat"
    CAPTURE_HOOK_SILENT = "capture_hook_silent"
    CAPTURE_BYPASS_SUSPECTED = "capture_bypass_suspected"
    CAPTURE_CONFIG_CHANGED = "capture_config_changed"
    CAPTURE_DEGRADED = "capture_degraded"
    CAPTURE_GAP = "capture_gap"
    CAPTURE_CLOCK_JUMP = "capture_clock_jump"
    CAPTURE_UPSTREAM_OVERRIDDEN = "capture_upstream_overridden"
    CAPTURE_RECOVERED = "capture_recovered"


FIELD_TYPES: Final[Mapping[str, FieldType]] = MappingProxyType(
    {
        "after": "text",
        "agent": "text",
        "agent_id": "text",
        "agent_session": "text",
        "agent_type": "text",
        "attempt": "int",
        "batches": "int",
        "before": "text",
        "body": "json",
        "body_raw": "bytes",
        "brief": "text",
        "brief_sha256": "text",
        "choices": "json",
        "cli_version": "text",
        "command": "text",
        "commit": "text",
        "content": "json",
        "continues": "text",
        "counts": "json",
        "cwd": "text",
        "decided_ms": "int",
        "decision": "text",
        "delta_ms": "int",
        "detail": "text",
        "diff": "text",
        "duration_ms": "int",
        "error": "json",
        "error_output": "text",
        "exit_code": "int",
        "first_byte_ms": "int",
        "from_ms": "int",
        "images": "json",
        "input": "json",
        "is_error": "bool",
        "locale": "text",
        "lost": "int",
        "machine": "bool",
        "manifest": "json",
        "mode": "text",
        "model": "text",
        "name": "text",
        "operation": "text",
        "outcome": "text",
        "output": "text",
        "patch": "text",
        "path": "text",
        "path_check": "json",
        "path_name": "text",
        "payload": "json",
        "platform": "text",
        "policy_sha256": "text",
        "prompt": "text",
        "prompt_id": "text",
        "provider": "text",
        "purpose": "text",
        "raw_kind": "text",
        "reason": "text",
        "repository": "text",
        "request_path": "text",
        "request_sha256": "text",
        "response_id": "text",
        "retry_after": "text",
        "source": "text",
        "status": "int",
        "stop_reason": "text",
        "stream": "bool",
        "target_field": "text",
        "target_seq": "int",
        "text": "text",
        "thinking": "text",
        "to_ms": "int",
        "tool_use_id": "text",
        "tool_use_ids": "json",
        "totals": "json",
        "tree": "text",
        "trigger": "text",
        "upstream": "text",
        "url": "text",
        "usage": "json",
    }
)
"""Every field's name and type. ``content`` is a JSON string in tool results and a list of blocks in responses."""

AGENT_FIELDS: Final = frozenset({"agent", "agent_session", "agent_id"})
"""Which agent an event came from, as that agent names itself, its session and its subagents."""

_FIELDS: Final[Mapping[Kind, str]] = {
    Kind.OPENED: "cli_version platform choices continues path_check brief brief_sha256",
    Kind.PAUSED: "reason",
    Kind.RESUMED: "reason",
    Kind.CLOSED: "totals batches",
    Kind.CONSENT: "policy_sha256 choices locale decided_ms",
    Kind.PROMPT: "text prompt_id images machine",
    Kind.MODEL_REQUEST: "provider request_path model purpose body body_raw stream request_sha256",
    Kind.MODEL_RESPONSE: (
        "attempt outcome status text thinking tool_use_ids stop_reason model response_id usage error retry_after "
        "first_byte_ms duration_ms content"
    ),
    Kind.TOOL_CALL: "tool_use_id name input",
    Kind.TOOL_RESULT: "tool_use_id name content is_error duration_ms",
    Kind.FILE_EDIT: "tool_use_id path operation before after patch",
    Kind.COMMAND: "tool_use_id command cwd exit_code output error_output is_error duration_ms",
    Kind.SUBAGENT_STARTED: "agent_type prompt tool_use_id",
    Kind.SUBAGENT_STOPPED: "agent_type text",
    Kind.PERMISSION: "tool_use_id name input decision mode",
    Kind.COMPACTION: "trigger text",
    Kind.NOTE: "text",
    Kind.SUBMISSION_BASELINE: "commit tree manifest repository",
    Kind.SUBMISSION_FINAL: "commit tree manifest diff",
    Kind.REDACTION: "target_seq target_field reason",
    Kind.AGENT_OTHER: "raw_kind payload",
    Kind.CAPTURE_HEARTBEAT: "counts",
    Kind.CAPTURE_HOOK_SILENT: "tool_use_id name agent",
    Kind.CAPTURE_BYPASS_SUSPECTED: "detail",
    Kind.CAPTURE_CONFIG_CHANGED: "path_name detail",
    Kind.CAPTURE_DEGRADED: "detail",
    Kind.CAPTURE_GAP: "source detail lost from_ms to_ms",
    Kind.CAPTURE_CLOCK_JUMP: "delta_ms",
    Kind.CAPTURE_UPSTREAM_OVERRIDDEN: "upstream url",
    Kind.CAPTURE_RECOVERED: "detail lost",
}

AGENT_KINDS: Final = frozenset(
    {
        Kind.PROMPT,
        Kind.MODEL_REQUEST,
        Kind.MODEL_RESPONSE,
        Kind.TOOL_CALL,
        Kind.TOOL_RESULT,
        Kind.FILE_EDIT,
        Kind.COMMAND,
        Kind.SUBAGENT_STARTED,
        Kind.SUBAGENT_STOPPED,
        Kind.PERMISSION,
        Kind.COMPACTION,
        Kind.AGENT_OTHER,
    }
)
"""Kinds that tell what an agent did; each may carry ``AGENT_FIELDS``."""

SESSION_KINDS: Final = frozenset(Kind) - AGENT_KINDS
"""Kinds about the session itself: its course, its consent, its submission, and how well capture worked."""

KINDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        kind: frozenset(names.split()) | (AGENT_FIELDS if kind in AGENT_KINDS else frozenset[str]())
        for kind, names in _FIELDS.items()
    }
)
"""The field names that each kind may carry."""

SOURCES: Final = frozenset(source.value for source in Source)

OWN_SOURCES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        Kind.OPENED: frozenset({Source.RECORDER}),
        Kind.CONSENT: frozenset({Source.CANDIDATE}),
        Kind.PAUSED: frozenset({Source.CANDIDATE, Source.RECORDER}),
        Kind.RESUMED: frozenset({Source.CANDIDATE, Source.RECORDER}),
        Kind.SUBMISSION_BASELINE: frozenset({Source.WORKSPACE}),
        Kind.SUBMISSION_FINAL: frozenset({Source.WORKSPACE}),
        Kind.CAPTURE_HEARTBEAT: frozenset({Source.RECORDER}),
        Kind.CAPTURE_CLOCK_JUMP: frozenset({Source.RECORDER}),
        Kind.CAPTURE_RECOVERED: frozenset({Source.RECORDER}),
        Kind.CLOSED: frozenset({Source.RECORDER}),
    }
)
"""Whose word it is that a session began, goes on, pauses and ends; such a kind from another source means nothing."""


def is_own(kind: str, src: str) -> bool:
    """Whether an event of this kind is one of those in ``OWN_SOURCES``, and from a source that may tell it."""
    return src in OWN_SOURCES.get(kind, ())


def ends_session(kind: str, src: str) -> bool:
    """Whether nothing follows an event: a ``closed``, and the recorder's."""
    return kind == Kind.CLOSED and is_own(kind, src)
