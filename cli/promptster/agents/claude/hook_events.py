"""Claude Code's hook events; all of them arrive over HTTP, without a process.

``WorktreeCreate`` is never registered: a handler there replaces the action. ``SessionStart`` neither: it can have a
command only, and with one Claude Code makes a folder in the user's home and tells of the hook in its event stream, so
the agent would no longer behave as without us. ``MessageDisplay`` and ``PostToolBatch`` repeat what other events and
the API traffic say. So does ``PreCompact``, and Claude Code shows the user a line for each handler of
it; ``PostCompact`` tells what asked for the compaction, and its summary.
"""

from __future__ import annotations

NAME = "claude"
"""The agent's name on a frame and in the hook URL."""

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
"""The events that we ask for."""

MATCHER_EVENTS = frozenset({"PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest", "PermissionDenied"})
"""Events whose groups take a ``matcher``; ``*`` stands for every tool."""

TIMEOUT_S = 2
"""Seconds that Claude Code waits for one of our handlers at most."""

NEVER_REGISTERED = frozenset({"WorktreeCreate", "SessionStart"})
"""Events where a handler changes what the agent does."""
