"""The kinds of events by name, apart from their classes, so that a command that shows one starts fast."""

from __future__ import annotations

import enum


class Kind(enum.StrEnum):
    """The kinds by name, for what knows no more of an event than its name."""

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
