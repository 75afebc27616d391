"""Claude Code's hook events. All of them arrive over HTTP, so no process is started.

We never register ``WorktreeCreate``, because a handler replaces the action, or ``SessionStart``: its handler must be a
command, for which Claude Code creates a folder in the user's home and reports the hook in its event stream, so the
agent would behave differently. ``MessageDisplay`` and ``PostToolBatch`` repeat other events and the API
traffic. So does ``PreCompact``, and Claude Code shows the user a line for each of its handlers; ``PostCompact``
contains what triggered the compaction, and its summary.
"""

from __future__ import annotations

NAME = "claude"
"""The agent's name in a frame and in the hook URL."""

EVENTS = (
    "SessionEnd",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "Stop",
    "SubagentStart",
    "SubagentStop",
    "PostCompact",
    "PermissionRequest",
    "PermissionDenied",
)
"""The events that we subscribe to. ``SessionStart`` and ``WorktreeCreate`` are not: their handlers change the agent."""

MATCHER_EVENTS = frozenset({"PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest", "PermissionDenied"})
"""Events whose groups have a ``matcher``; ``*`` matches every tool."""

TIMEOUT_S = 2
"""The most seconds that Claude Code waits for one of our handlers."""
