"""Codex's hook events. It starts a command for each; there is no HTTP handler."""

from __future__ import annotations

NAME = "codex"
"""The agent's name on a frame."""

EVENTS = {
    "SessionStart": 10,
    "UserPromptSubmit": 10,
    "PreToolUse": 10,
    "PermissionRequest": 10,
    "PostToolUse": 10,
    "PreCompact": 10,
    "PostCompact": 10,
    "SubagentStart": 10,
    "SubagentStop": 10,
    "Stop": 10,
    "SessionEnd": 3,
    "Interrupt": 3,
}
"""Each event with the seconds that Codex waits at most; the last two allow no more than 3."""
