"""Cursor's hook events, for ``.cursor/hooks.json``.

One unknown event name makes Cursor refuse the whole file, so the table holds only names that it documents. A handler
of ours prints nothing: for a ``before`` event anything but a valid answer would block the action, and an answer of
our own would decide in the user's place.
"""

from __future__ import annotations

NAME = "cursor"
"""The agent's name on a frame."""

EVENTS = (
    "sessionStart",
    "sessionEnd",
    "beforeSubmitPrompt",
    "afterAgentResponse",
    "afterAgentThought",
    "preToolUse",
    "postToolUse",
    "postToolUseFailure",
    "beforeShellExecution",
    "afterShellExecution",
    "beforeMCPExecution",
    "afterMCPExecution",
    "beforeReadFile",
    "afterFileEdit",
    "subagentStart",
    "subagentStop",
    "preCompact",
    "stop",
)
"""The events that we ask for: what the agent does. Completions typed by the person (``beforeTabFileRead``,
``afterTabFileEdit``) and the opening of a workspace are not the agent's work and are not asked for."""

KNOWN_EVENTS = frozenset({*EVENTS, "beforeTabFileRead", "afterTabFileEdit", "workspaceOpen"})
"""Every name that Cursor accepts."""

TIMEOUT_S = 2
"""Seconds that Cursor waits for our handler at most."""

DROPPED_FIELDS = frozenset({"user_email"})
"""Direct identifiers that are dropped before anything is kept."""
