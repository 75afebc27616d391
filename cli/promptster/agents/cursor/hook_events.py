"""Cursor's hook events, for ``.cursor/hooks.json``, as its documentation and ``@cursor/sdk`` 1.0.32 name them.

https://cursor.com/docs/hooks tells what each carries; ``promptster.agents.cursor.hooks`` reads it.

One unknown event name makes Cursor refuse the whole file, so the table holds only names that it knows. A handler of
ours prints nothing and ends with 0, which Cursor takes as no answer: the action goes on as without us. Exit code 2 or
anything but a valid answer to a ``before`` event would block the action, ``{"permission": "allow"}`` would decide in
the user's place, and even ``{}`` after an edit makes Cursor read the file again. We never ask to fail closed.
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
