"""How facts of a session are written for people; light, because every command needs it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from promptster.paths import home_path

if TYPE_CHECKING:
    from pathlib import Path

_DOING = {
    "preparing": "is starting",
    "recording": "is being recorded",
    "paused": "is paused",
    "closing": "is being submitted",
    "closed": "was submitted",
    "stopped": "was stopped",
    "lapsed": "is over: the time for upload has passed",
    "withdrawn": "was withdrawn",
}
"""What a session does, by its state's name: people read these, programs the names."""


def doing(state: str) -> str:
    """The state as the end of a sentence about the session, such as ``is paused``."""
    return _DOING.get(str(state), f"is {state}")


def utc(ms: int) -> str:
    """A point in time as RFC 3339 text in UTC, to the second; for programs."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def one_line(text: str) -> str:
    """Received text without line breaks, so that it cannot pretend to be a line of ours."""
    return " ".join(text.split())


def shell_path(path: Path | str) -> str:
    """A path to be pasted into a shell."""
    short = home_path(path)
    tail = short.removeprefix("~/")
    return short if shlex.quote(tail) == tail else shlex.quote(str(path))


MACHINE = "machine"
"""Subject of a prompt that no person wrote."""
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
"""By kind of event, what the agent did, and to what where the event does not say."""


def last_thing(last: Mapping[str, Any]) -> str:
    """What was done last, by whom: ``claude edited errors.py``; ``last`` is not empty."""
    agent, subject = str(last.get("agent") or "") or "an agent", str(last.get("subject") or "")
    kind = last.get("kind")
    if kind == "prompt":
        return f"{agent} continued by itself" if subject == MACHINE else f"you asked {agent}"
    if kind == "model_response" and subject:
        return f"{agent} got {'an error from the model' if subject == 'error' else 'part of an answer'}"
    did, something = _DONE.get(str(kind), ("did something", ""))
    what = subject or something
    return f"{agent} {did} {what}" if what else f"{agent} {did}"
