"""``.cursor/hooks.json``, the only file from which Cursor reads hooks."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any, Final, cast

from typing_extensions import override

from promptster.agents.cursor import hook_events
from promptster.agents.editor import HasEditorFile
from promptster.agents.hook_command import hook_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.session_folder.control_messages import LaunchTicket

_VERSION: Final = 1


class CursorFile(HasEditorFile):
    """``.cursor/hooks.json``."""

    holds_token = False
    empty: Mapping[str, Any] = {"version": _VERSION, "hooks": {}}

    @override
    def entries(self, ticket: LaunchTicket) -> dict[str, Any]:
        command = shlex.join((*hook_command(), hook_events.NAME, ticket.hook_socket, ticket.spool))
        entry = {"command": command, "timeout": hook_events.TIMEOUT_S}
        return {"version": _VERSION, "hooks": {event: [dict(entry)] for event in hook_events.EVENTS}}

    @override
    def refusal(self, content: Mapping[str, Any]) -> str | None:
        return check_cursor(content)


def check_cursor(content: Mapping[str, Any]) -> str | None:
    """Why Cursor would reject this file, if it would: one invalid entry disables every hook in it.

    The rules are those of Cursor's own check (``@cursor/sdk`` 1.0.32).
    """
    if content.get("version") != _VERSION:
        return f"its version is not {_VERSION}"
    hooks = content.get("hooks")
    if not isinstance(hooks, dict):
        return "hooks is not an object"
    for event, entries in cast("dict[str, Any]", hooks).items():
        if event not in hook_events.KNOWN_EVENTS:
            return f"unknown event {event}"
        if not isinstance(entries, list):
            return f"{event} is not a list"
        for entry in cast("Sequence[Any]", entries):
            wrong = _wrong_entry(cast("dict[str, Any]", entry)) if isinstance(entry, dict) else "is not an object"
            if wrong is not None:
                return f"an entry of {event} {wrong}"
    return None if _without_comments(content) == content else "Cursor reads // and /* as comments, even inside a string"


def _wrong_entry(entry: Mapping[str, Any]) -> str | None:
    """What is wrong with an entry, if anything."""
    kind, words, limit = entry.get("type", "command"), entry.get("prompt"), entry.get("loop_limit")
    wanted = {
        "a known type": kind in {"command", "prompt"},
        "a command": kind != "command" or isinstance(entry.get("command"), str),
        "a prompt": kind != "prompt" or (isinstance(words, str) and bool(words.strip())),
        "a string as matcher": isinstance(entry.get("matcher", ""), str),
        "a positive timeout": _is_positive(entry.get("timeout", 1)),
        "a positive whole number as loop_limit": limit is None or (isinstance(limit, int) and _is_positive(limit)),
        "true or false as failClosed": isinstance(entry.get("failClosed", False), bool),
    }
    missing = next((what for what, is_valid in wanted.items() if not is_valid), None)
    return None if missing is None else f"needs {missing}"


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _without_comments(content: Mapping[str, Any]) -> Any:
    """The file as Cursor reads it: comments are removed from the text, even inside strings."""
    text = re.sub(r"/\*.*?\*/", "", re.sub(r"//.*", "", json.dumps(content, indent=1)), flags=re.DOTALL)
    try:
        return json.loads(text)
    except ValueError:
        return None
