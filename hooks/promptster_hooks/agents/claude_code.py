"""Claude Code's hook events.

``WorktreeCreate`` is never registered: a handler there replaces the action. ``MessageDisplay`` and ``PostToolBatch``
are left out because they repeat what other events and the API traffic say.
"""

from __future__ import annotations

NAME = "claude"
"""The agent's name on a frame and in the hook URL."""

HTTP_EVENTS = (
    "SessionEnd",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "Stop",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
    "PermissionRequest",
    "PermissionDenied",
)
"""Events that arrive over HTTP, without a process."""

COMMAND_EVENTS = ("SessionStart",)
"""Events that do not arrive over HTTP and need a command."""

MATCHER_EVENTS = frozenset({"PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest", "PermissionDenied"})
"""Events whose groups take a ``matcher``; ``*`` stands for every tool."""

TIMEOUT_S = 2
"""Seconds that Claude Code waits for one of our handlers at most."""

NEVER_REGISTERED = frozenset({"WorktreeCreate"})
"""Events where a handler changes what the agent does."""
