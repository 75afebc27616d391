"""Writes facts of a session for people. Every command imports this, so it imports little itself."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, assert_never

from promptster.paths import home_path
from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from promptster.session_folder.control_messages import LastAction


def doing(state: SessionState) -> str:
    """Return the state as the end of a sentence about the session, such as ``is paused``."""
    match state:
        case SessionState.PREPARING:
            text = "is starting"
        case SessionState.RECORDING:
            text = "is being recorded"
        case SessionState.PAUSED:
            text = "is paused"
        case SessionState.CLOSING:
            text = "is being submitted"
        case SessionState.CLOSED:
            text = "was submitted"
        case SessionState.STOPPED:
            text = "was stopped"
        case SessionState.LAPSED:
            text = "is over: the time for upload has passed"
        case SessionState.WITHDRAWN:
            text = "was withdrawn"
        case _:  # pragma: no cover
            assert_never(state)
    return text


def one_line(text: str) -> str:
    """Return received text without line breaks, so that it cannot imitate a line of ours."""
    return " ".join(text.split())


def shell_path(path: Path | str) -> str:
    """Return a path as it can be pasted into a shell."""
    short = home_path(path)
    tail = short.removeprefix("~/")
    return short if shlex.quote(tail) == tail else shlex.quote(str(path))


MACHINE = "machine"
"""The subject of a prompt that no person wrote."""
_DONE: Mapping[str, tuple[str, str]] = {
    "model_request": ("asked the model", ""),
    "model_response": ("got the model's answer", ""),
    "tool_call": ("used", "a tool"),
    "file_edit": ("edited", "a file"),
    "command": ("ran", "a command"),
    "subagent_started": ("started a subagent", ""),
    "subagent_stopped": ("ended a subagent", ""),
    "permission": ("asked your permission", ""),
    "compaction": ("shortened its conversation", ""),
}
"""By kind of event: what the agent did, and to what, if the event does not name it."""


def last_thing(last: LastAction) -> str:
    """Return who did what last, such as ``claude edited errors.py``."""
    agent, subject, kind = last.agent or "an agent", last.subject, last.kind
    if kind == "prompt":
        return f"{agent} continued by itself" if subject == MACHINE else f"you asked {agent}"
    if kind == "model_response" and subject:
        return f"{agent} got {'an error from the model' if subject == 'error' else 'part of an answer'}"
    did, something = _DONE.get(kind, ("did something", ""))
    what = subject or something
    return f"{agent} {did} {what}" if what else f"{agent} {did}"
