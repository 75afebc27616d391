"""Writes an agent's last action for people, apart from the other wording: only ``promptster status`` shows it."""

from __future__ import annotations

from collections.abc import Mapping

from promptster.protocol.kind_names import Kind
from promptster.session_folder.control_messages import LastAction

MACHINE = "machine"
"""The subject of a prompt that no person wrote."""
_DONE: Mapping[str, tuple[str, str]] = {
    Kind.MODEL_REQUEST: ("asked the model", ""),
    Kind.MODEL_RESPONSE: ("got the model's answer", ""),
    Kind.TOOL_CALL: ("used", "a tool"),
    Kind.FILE_EDIT: ("edited", "a file"),
    Kind.COMMAND: ("ran", "a command"),
    Kind.SUBAGENT_STARTED: ("started a subagent", ""),
    Kind.SUBAGENT_STOPPED: ("ended a subagent", ""),
    Kind.PERMISSION: ("asked for your permission", ""),
    Kind.COMPACTION: ("shortened its conversation", ""),
}
"""By kind of event: what the agent did, and to what, if the event does not name it."""


def last_thing(last: LastAction) -> str:
    """Return who did what last, such as ``claude edited errors.py``."""
    agent, subject, kind = last.agent or "an agent", last.subject, last.kind
    if kind == Kind.PROMPT:
        return f"{agent} continued on its own" if subject == MACHINE else f"you asked {agent}"
    if kind == Kind.MODEL_RESPONSE and subject:
        return f"{agent} got {'an error from the model' if subject == 'error' else 'part of an answer'}"
    did, something = _DONE.get(kind, ("did something", ""))
    what = subject or something
    return f"{agent} {did} {what}" if what else f"{agent} {did}"
