"""Hook payloads with everything that each agent's events carry, one for every row of docs/hooks.md."""

from __future__ import annotations

from typing import Any

_BASH: dict[str, Any] = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t1", "cwd": "/w"}
_EDIT: dict[str, Any] = {
    "tool_name": "Edit",
    "tool_input": {"file_path": "/w/a.py", "old_string": "a", "new_string": "b"},
    "tool_use_id": "t1",
    "cwd": "/w",
}
_READ: dict[str, Any] = {"tool_name": "Read", "tool_input": {"file_path": "/w/a.py"}, "tool_use_id": "t1", "cwd": "/w"}
_HUNK = {"oldStart": 1, "oldLines": 1, "newStart": 1, "newLines": 1, "lines": ["-a", "+b"]}
_EDITED = {
    "filePath": "/w/a.py",
    "oldString": "a",
    "newString": "b",
    "originalFile": "a\n",
    "structuredPatch": [_HUNK],
    "replaceAll": False,
}
_RAN = {"stdout": "x", "stderr": "y", "interrupted": False}
_SUB = {"agent_id": "a1", "agent_type": "Explore"}
_PATCH = "*** Begin Patch\n*** Update File: a.py\n@@\n-a\n+b\n*** End Patch\n"
_SHELL: dict[str, Any] = {"tool_name": "Shell", "tool_input": {"command": "ls"}, "tool_use_id": "t1", "cwd": "/w"}

CLAUDE: dict[tuple[str, str], dict[str, Any]] = {
    ("SessionEnd", ""): {"reason": "exit"},
    ("UserPromptSubmit", ""): {"prompt": "Fix it.", "prompt_id": "p1"},
    ("PreToolUse", ""): _READ,
    ("PostToolUse", "Bash"): {**_BASH, "tool_response": _RAN, "duration_ms": 5},
    ("PostToolUse", "Edit"): {**_EDIT, "tool_response": _EDITED, "duration_ms": 5},
    ("PostToolUse", "any other tool"): {**_READ, "tool_response": {"file": {}}, "duration_ms": 5},
    ("PostToolUseFailure", "Bash"): {**_BASH, "error": "Exit code 2\nno", "duration_ms": 5},
    ("PostToolUseFailure", "any other tool"): {**_READ, "error": "no such file", "duration_ms": 5},
    ("Stop", ""): {"stop_hook_active": False},
    ("SubagentStart", ""): _SUB,
    ("SubagentStop", ""): {**_SUB, "last_assistant_message": "Done."},
    ("PostCompact", ""): {"trigger": "manual", "compact_summary": "So far."},
    ("PermissionRequest", ""): {**_BASH, "permission_mode": "default"},
    ("PermissionDenied", ""): {**_BASH, "permission_mode": "auto"},
}

CODEX: dict[tuple[str, str], dict[str, Any]] = {
    ("SessionStart", ""): {"source": "startup"},
    ("UserPromptSubmit", ""): {"prompt": "Fix it.", "turn_id": "p1"},
    ("PreToolUse", ""): _BASH,
    ("PermissionRequest", ""): {**_BASH, "permission_mode": "default"},
    ("PostToolUse", "Bash"): {**_BASH, "tool_response": "Exit code: 0\nWall time: 0.1 seconds\nOutput:\nx"},
    ("PostToolUse", "apply_patch"): {
        "tool_name": "apply_patch",
        "tool_input": {"command": _PATCH},
        "tool_use_id": "t1",
        "cwd": "/w",
        "tool_response": "Success.",
    },
    ("PostToolUse", "any other tool"): {**_READ, "tool_name": "view_image", "tool_response": "{}"},
    ("PreCompact", ""): {"trigger": "manual"},
    ("PostCompact", ""): {"trigger": "manual"},
    ("SubagentStart", ""): _SUB,
    ("SubagentStop", ""): {**_SUB, "last_assistant_message": "Done."},
    ("Stop", ""): {"last_assistant_message": "Done."},
    ("SessionEnd", ""): {"reason": "exit"},
    ("Interrupt", ""): {"turn_id": "p1"},
}

_OUTPUT = {"output": "x", "exitCode": 0}
CURSOR: dict[tuple[str, str], dict[str, Any]] = {
    ("sessionStart", ""): {"composer_mode": "agent"},
    ("sessionEnd", ""): {"reason": "completed"},
    ("beforeSubmitPrompt", ""): {"prompt": "Fix it.", "attachments": [{"type": "image"}]},
    ("afterAgentResponse", ""): {"text": "Done.", "input_tokens": 1, "output_tokens": 2},
    ("afterAgentThought", ""): {"text": "Hm.", "duration_ms": 5},
    ("preToolUse", ""): _SHELL,
    ("postToolUse", ""): {**_SHELL, "tool_output": _OUTPUT, "duration": 5},
    ("postToolUseFailure", ""): {
        **_SHELL,
        "error_message": "Command failed with exit code 2",
        "failure_type": "error",
        "duration": 5,
    },
    ("beforeShellExecution", ""): {"command": "ls", "cwd": "/w", "tool_use_id": "t1"},
    ("afterShellExecution", ""): {
        "command": "ls",
        "cwd": "/w",
        "output": "x",
        "exit_code": 0,
        "duration": 5,
        "tool_use_id": "t1",
    },
    ("beforeMCPExecution", ""): {"tool_name": "find", "tool_input": '{"q": "x"}', "tool_use_id": "t1"},
    ("afterMCPExecution", ""): {
        "tool_name": "find",
        "tool_input": '{"q": "x"}',
        "tool_use_id": "t1",
        "result_json": '{"isError": false}',
        "duration": 5,
    },
    ("beforeReadFile", ""): {"file_path": "/w/a.py", "content": "a"},
    ("afterFileEdit", ""): {
        "file_path": "/w/a.py",
        "edits": [{"old_string": "a", "new_string": "b"}],
        "tool_use_id": "t1",
    },
    ("subagentStart", ""): {"subagent_id": "a1", "subagent_type": "explore", "task": "Look.", "tool_call_id": "t1"},
    ("subagentStop", ""): {"subagent_id": "a1", "subagent_type": "explore", "summary": "Done."},
    ("preCompact", ""): {"trigger": "auto"},
    ("stop", ""): {"status": "completed"},
}

_CURSOR_COMMON = {"cursor_version": "1.0", "conversation_id": "s1", "generation_id": "g1", "model": "m"}
PAYLOADS: dict[str, dict[tuple[str, str], dict[str, Any]]] = {
    "claude": {
        (event, tool): {"hook_event_name": event, "session_id": "s1", **payload}
        for (event, tool), payload in CLAUDE.items()
    },
    "codex": {
        (event, tool): {"hook_event_name": event, "session_id": "s1", **payload}
        for (event, tool), payload in CODEX.items()
    },
    "cursor": {
        (event, tool): {"hook_event_name": event, **_CURSOR_COMMON, **payload}
        for (event, tool), payload in CURSOR.items()
    },
}
"""By agent, then by event and, where that matters, the tool."""
