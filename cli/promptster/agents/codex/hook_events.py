"""Codex's hook events. Codex starts a command for each; it has no HTTP handlers."""

from __future__ import annotations

NAME = "codex"
"""The agent's name in a frame."""

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
"""Each event with the most seconds that Codex waits; the last two allow no more than 3."""
