"""Cursor's hook events, for ``.cursor/hooks.json``, as its documentation and ``@cursor/sdk`` 1.0.32 name them.

https://cursor.com/docs/hooks describes their payloads; ``promptster.agents.cursor.hooks`` reads them.

One unknown event name makes Cursor reject the whole file, so only names that it knows are listed. Our handler prints
nothing and exits with 0, which Cursor treats as no answer, so the action continues as it would without us. Exit code 2
or an invalid answer to a ``before`` event would block the action, ``{"permission": "allow"}`` would decide for the
user, and even ``{}`` after an edit makes Cursor read the file again. We never set ``failClosed``.
"""

from __future__ import annotations

NAME = "cursor"
"""The agent's name in a frame."""

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
"""The events that we subscribe to: the agent's work. Tab completions in the editor (``beforeTabFileRead``,
``afterTabFileEdit``) and the opening of a workspace are not the agent's work, so we do not subscribe to them."""

KNOWN_EVENTS = frozenset({*EVENTS, "beforeTabFileRead", "afterTabFileEdit", "workspaceOpen"})
"""Every name that Cursor accepts."""

TIMEOUT_S = 2
"""The most seconds that Cursor waits for our handler."""
